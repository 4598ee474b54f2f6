"""The samples of a run and what is derived from them; None of it where nothing was sampled."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from glm_locust.errors import GlmLocustError
from glm_locust.records import RequestRecord
from glm_locust.report.correlation import Correlation, correlation_of
from glm_locust.report.reading import RunEnds
from glm_locust.report.resources import Block, Resources, blocks_of, resources_of
from glm_locust.samples.readings import Readings, readings_of
from glm_locust.samples.store import CLOCKS_NAME, Gap, SampleLine, read_samples
from glm_locust.samples.windows import Joined, join

KINDS = ("gpu", "host", "processes", "engine")


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """One source and how much came of it."""

    name: str
    kind: str
    url: str
    readings: int
    samples: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """Everything derived from samples."""

    readings: Readings
    joined: Joined
    blocks: tuple[Block, ...]
    resources: Resources
    correlation: Correlation | None
    sources: tuple[SourceFacts, ...]
    gaps: tuple[Gap, ...]
    missing: tuple[str, ...]
    """Kinds of readings that the run has none of."""
    trouble: str | None = None
    """Why the samples, or a part of them, could not be read."""


class Requests:
    """Every request of a run once, without its gaps: what windows are made for."""

    def __init__(self) -> None:
        self.records: list[RequestRecord] = []
        self._seen: set[tuple[str, int]] = set()

    def add(self, record: RequestRecord) -> None:
        """Take one record."""
        key = (record.worker_id, record.seq)
        if key not in self._seen:
            self._seen.add(key)
            self.records.append(msgspec.structs.replace(record, output_gaps_us=()))


def was_sampled(run_dir: Path) -> bool:
    """Whether the run has samples."""
    return any(run_dir.glob("samples*.jsonl.gz")) or (run_dir / CLOCKS_NAME).exists()


def read_sampled(run_dir: Path, requests: Requests, ends: RunEnds) -> Sampled:
    """Join the run's samples with its requests and judge them."""
    trouble: list[str] = []
    readings = readings_of(_lines(run_dir, trouble))
    joined = join(requests.records, readings)
    blocks = blocks_of(requests.records)
    paths = tuple(dict.fromkeys(block.path for block in blocks))
    return Sampled(
        readings=readings,
        joined=joined,
        blocks=blocks,
        resources=resources_of(blocks, readings.readings, joined.series, paths),
        correlation=correlation_of(joined, readings, _hosts(requests, ends)),
        sources=_sources(readings),
        gaps=readings.gaps,
        missing=_missing(readings),
        trouble=trouble[0] if trouble else None,
    )


def _lines(run_dir: Path, trouble: list[str]) -> Iterator[SampleLine]:
    try:
        yield from read_samples(run_dir)
    except (GlmLocustError, OSError) as error:
        trouble.append(str(error))


def _hosts(requests: Requests, ends: RunEnds) -> dict[str, str]:
    said: Mapping[str, Mapping[str, object]] = ends.footer.workers if ends.footer else {}
    here = str(ends.header.machine.get("host", ""))
    workers = {record.worker_id for record in requests.records}
    return {worker: str(said.get(worker, {}).get("host", here)) for worker in workers}


def _sources(readings: Readings) -> tuple[SourceFacts, ...]:
    count: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    for reading in readings.readings.values():
        count[reading.source] += 1
        samples[reading.source] += len(reading.values)
    return tuple(
        SourceFacts(name, source.kind, source.url, count[name], samples[name])
        for name, source in readings.sources.items()
    )


def _missing(readings: Readings) -> tuple[str, ...]:
    there = set()
    for reading in readings.readings.values():
        if "GPU" in reading.device:
            there.add("gpu")
        elif reading.device in ("host", "engine"):
            there.add(reading.device)
        else:
            there.add("processes")
    return tuple(kind for kind in KINDS if kind not in there)
