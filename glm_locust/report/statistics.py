"""Exact statistics of one metric, and of all metrics over some cells."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glm_locust.metrics import METRICS, enough_for
from glm_locust.report.tally import Cell


@dataclass(frozen=True, slots=True)
class Stat:
    """One metric; a percentile is None where n is too small to print it."""

    n: int
    p50: float
    p95: float | None
    p99: float | None
    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class PathStats:
    """The requests of one path in some cells."""

    n: int
    """Answers that enter statistics."""
    failed: int
    cancelled: int
    not_streamed: int
    reasoned: int
    metrics: dict[str, Stat]
    requests_per_s: float | None = None

    @property
    def failed_share(self) -> float | None:
        """Failed requests over all that ended; None where none ended."""
        ended = self.n + self.failed
        return self.failed / ended if ended else None

    def p50(self, metric: str) -> float | None:
        """The metric's median; None where nothing measured it."""
        stat = self.metrics.get(metric)
        return stat.p50 if stat else None


def stat_of(values: npt.ArrayLike) -> Stat | None:
    """Statistics of values; None of no values."""
    numbers = np.asarray(values, dtype=np.float64)
    n = len(numbers)
    if not n:
        return None
    p50, p95, p99 = (float(q) for q in np.quantile(numbers, [0.5, 0.95, 0.99]))
    return Stat(
        n=n,
        p50=p50,
        p95=p95 if enough_for(0.95, n) else None,
        p99=p99 if enough_for(0.99, n) else None,
        mean=float(numbers.mean()),
        minimum=float(numbers.min()),
        maximum=float(numbers.max()),
    )


def stats_of(cells: Iterable[Cell], requests_per_s: float | None = None) -> PathStats:
    """Statistics over all requests of the cells."""
    chosen = list(cells)
    metrics: dict[str, Stat] = {}
    for name in METRICS:
        parts = [cell.values[name] for cell in chosen if name in cell.values]
        if parts and (stat := stat_of(np.concatenate(parts))) is not None:
            metrics[name] = stat
    return PathStats(
        n=sum(len(cell.records) for cell in chosen),
        failed=sum(cell.failed for cell in chosen),
        cancelled=sum(cell.cancelled for cell in chosen),
        not_streamed=sum(cell.not_streamed for cell in chosen),
        reasoned=sum(cell.reasoned for cell in chosen),
        metrics=metrics,
        requests_per_s=requests_per_s,
    )
