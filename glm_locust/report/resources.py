"""What GPU, host and processes gave while each path was loaded: means over time beside the peaks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glm_locust.correlate.series import Series
from glm_locust.records import Phase, RequestRecord
from glm_locust.samples.readings import HOST, NS, Reading

OVERLAP_SHARE = 0.1
"""Paths that are loaded together for more than this share of their time cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Use:
    """One reading over the blocks of one path."""

    mean: float
    """Weighted by time."""
    peak: float
    coverage: float
    """Share of the blocks' time that samples cover."""


@dataclass(frozen=True, slots=True)
class PathUse:
    """All readings over the blocks of one path at one level; path None: all paths together."""

    path: str | None
    level: int | None
    n: int
    """Measured requests."""
    duration_s: float
    readings: dict[str, Use]


@dataclass(frozen=True, slots=True)
class Resources:
    """Use by path and level."""

    rows: tuple[PathUse, ...]
    overall: tuple[PathUse, ...]
    """The same over all levels."""
    apart: bool
    """False: paths were loaded at the same time, so no reading belongs to one of them."""
    main: dict[str, tuple[str, ...]]
    """gpu_memory, gpu_busy, cpu, memory -> the readings that the published table's rows stand for."""

    def figure(self, row: PathUse, which: str) -> Use | None:
        """The reading that the published table has; over several GPUs the mean and the highest peak."""
        uses = [row.readings[name] for name in self.main.get(which, ()) if name in row.readings]
        if not uses:
            return None
        return Use(
            mean=float(np.mean([use.mean for use in uses])),
            peak=max(use.peak for use in uses),
            coverage=min(use.coverage for use in uses),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """The time in which one path was loaded."""

    path: str
    level: int | None
    block: int | None
    begin_s: float
    end_s: float
    n: int


def blocks_of(records: Iterable[RequestRecord]) -> tuple[Block, ...]:
    """The measured blocks of all paths, by time."""
    groups: dict[tuple[str, int | None, int | None], list[RequestRecord]] = defaultdict(list)
    for record in records:
        if record.phase is Phase.MEASURE:
            groups[record.path, record.level, record.block].append(record)
    blocks = [
        Block(
            path,
            level,
            block,
            min(record.scheduled_ns for record in found) / NS,
            max(record.finished_ns for record in found) / NS,
            len(found),
        )
        for (path, level, block), found in groups.items()
    ]
    return tuple(sorted(blocks, key=lambda block: (block.begin_s, block.path)))


def resources_of(
    blocks: Sequence[Block], readings: dict[str, Reading], series: dict[str, Series], paths: Sequence[str]
) -> Resources:
    """Use by level and path, in the order of `paths`."""
    apart = _apart(blocks)
    levels = sorted({block.level for block in blocks}, key=lambda level: (level is not None, level or 0))

    def uses(chosen: Sequence[Block], level: int | None) -> list[PathUse]:
        groups = [
            (path, [one for one in chosen if path in (None, one.path)])
            for path in (paths if apart else (None,))
        ]
        return [_use(path, level, group, series) for path, group in groups if group]

    rows = [use for level in levels for use in uses([one for one in blocks if one.level == level], level)]
    overall = uses(blocks, None) if len(levels) > 1 else rows
    return Resources(tuple(rows), tuple(overall), apart, _main(readings))


def _apart(blocks: Sequence[Block]) -> bool:
    shared_s = whole_s = 0.0
    for i, one in enumerate(blocks):
        whole_s += one.end_s - one.begin_s
        for other in blocks[i + 1 :]:
            if other.begin_s >= one.end_s:
                break
            if other.path != one.path:
                shared_s += min(one.end_s, other.end_s) - other.begin_s
    return shared_s <= OVERLAP_SHARE * whole_s


def _use(path: str | None, level: int | None, blocks: Sequence[Block], series: dict[str, Series]) -> PathUse:
    begin, end = _merged(blocks)
    length = end - begin
    uses = {}
    for name, one in series.items():
        found = one.windows(begin, end)
        covered = found.coverage * length
        if covered.sum() > 0:
            uses[name] = Use(
                mean=float(np.nansum(np.where(covered > 0, found.mean, 0.0) * covered) / covered.sum()),
                peak=float(np.nanmax(found.maximum)),
                coverage=float(covered.sum() / length.sum()),
            )
    return PathUse(path, level, sum(block.n for block in blocks), float(length.sum()), uses)


def _merged(blocks: Sequence[Block]) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end of the blocks' time, each moment once."""
    spans: list[list[float]] = []
    for block in sorted(blocks, key=lambda block: block.begin_s):
        if spans and block.begin_s <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], block.end_s)
        else:
            spans.append([block.begin_s, block.end_s])
    begin, end = np.array(spans).T
    return begin, np.maximum(end, begin + 1e-6)


def _main(readings: dict[str, Reading]) -> dict[str, tuple[str, ...]]:
    """Of several hosts the one with GPUs, else the first."""
    gpus = [reading for reading in readings.values() if reading.device.startswith("GPU ")]
    hosts = [reading for reading in readings.values() if reading.device == HOST]
    owners = [reading.source for reading in (*gpus, *hosts)]
    owner = owners[0] if owners else ""
    chosen = {
        "gpu_memory": [reading for reading in gpus if reading.quantity == "memory_used"],
        "gpu_busy": [reading for reading in gpus if reading.quantity == "busy"],
        "cpu": [reading for reading in hosts if reading.quantity == "cpu"],
        "memory": [reading for reading in hosts if reading.quantity == "memory_used"],
    }
    return {
        which: tuple(reading.name for reading in found if reading.source == owner)
        for which, found in chosen.items()
    }
