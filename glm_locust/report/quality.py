"""How far the run can be trusted: the generator's own lateness, stamps, workers, what was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glm_locust.report.comparison import KERNEL_VARIANT, Overhead
from glm_locust.report.reading import RunEnds
from glm_locust.report.statistics import Stat, stat_of
from glm_locust.report.tally import Tally


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """One load generator."""

    worker_id: str
    records: int
    missing: int
    """Sequence numbers that no record has."""
    lost: bool
    """The footer says that the worker was lost."""
    said: dict[str, Any]
    """What the footer says of it besides."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What became of the requests of an open loop; None: nobody knows."""

    process: str
    started: int | None
    dropped: int | None
    """Nobody was free when they were due."""


@dataclass(frozen=True, slots=True)
class Quality:
    """The ruler, measured."""

    send_lag: Stat | None
    generator_lag: Stat | None
    stamps: dict[str, str]
    """Path -> kernel, python, or mixed."""
    compared_by_first: tuple[str, ...]
    """Kinds of stamps that differences of the first token were taken with."""
    workers: tuple[WorkerFacts, ...]
    duplicates: int
    foreign: int
    """Records of another run id."""
    missing: int
    unreadable: tuple[str, ...]
    unreadable_lines: int
    cut_off: bool
    locust_requests: int | None
    footer_counts: dict[str, int]
    notes: tuple[str, ...]
    arrivals: Arrivals | None
    """Open loop only."""


def quality_of(tally: Tally, ends: RunEnds, rows: Sequence[Overhead]) -> Quality:
    """Everything that bears on trust, from records, header and footer."""
    footer = ends.footer
    said = footer.workers if footer else {}
    workers = tuple(_worker(name, tally, said.get(name)) for name in sorted(set(tally.workers) | set(said)))
    lags = [
        cell.values["generator_lag_s"] for cell in tally.cells.values() if "generator_lag_s" in cell.values
    ]
    return Quality(
        send_lag=stat_of(tally.send_lag_s),
        generator_lag=stat_of(np.concatenate(lags)) if lags else None,
        stamps=_stamps(tally),
        compared_by_first=tuple(sorted({row.stamps for row in rows if row.metric in KERNEL_VARIANT})),
        workers=workers,
        duplicates=tally.duplicates,
        foreign=ends.foreign,
        missing=sum(worker.missing for worker in workers),
        unreadable=tuple(ends.unreadable),
        unreadable_lines=ends.unreadable_lines,
        cut_off=ends.cut_off,
        locust_requests=footer.locust_requests if footer else None,
        footer_counts=dict(footer.counts) if footer else {},
        notes=footer.notes if footer else (),
        arrivals=_arrivals(ends),
    )


def _arrivals(ends: RunEnds) -> Arrivals | None:
    process = ends.header.workload.get("arrivals")
    if process is None:
        return None
    counts = (ends.footer.arrivals if ends.footer else None) or {}
    return Arrivals(str(process), counts.get("started"), counts.get("dropped"))


def _worker(name: str, tally: Tally, said: dict[str, Any] | None) -> WorkerFacts:
    seen = tally.workers.get(name, set())
    known = said or {}
    promised = known.get("records")
    highest = max(max(seen, default=0), promised if isinstance(promised, int) else 0)
    return WorkerFacts(
        worker_id=name,
        records=len(seen),
        missing=highest - len(seen),
        lost=known.get("lost") is True,
        said={key: value for key, value in known.items() if key not in ("records", "lost")},
    )


def _stamps(tally: Tally) -> dict[str, str]:
    kinds = {}
    for path in dict.fromkeys(key.path for key in tally.cells):
        answers = sum(len(cell.values.get("ttft_s", ())) for cell in tally.chosen(path))
        stamped = tally.kernel_stamped[path]
        if answers:
            kinds[path] = "python" if not stamped else "kernel" if stamped >= answers else "mixed"
    return kinds
