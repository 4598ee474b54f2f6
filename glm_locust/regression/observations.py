"""Observations: the measured requests of one run, cut into pieces, and what their quantiles are worth.

Requests of one moment have the moment in common: a machine that is busy for ten seconds slows all of
them. So it is not requests that are drawn anew but pieces of the run: its blocks, or where it has few,
equal parts in time. A quantile of few pieces is known less well than one of as many independent requests,
and that is what its variance says.
"""

import math
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from glm_locust.metrics import METRICS, enough_for
from glm_locust.records import Outcome, Phase, RequestRecord

SMALLEST_BLOCKS = 4
"""Fewest blocks that are pieces; of fewer, the run is cut into equal parts instead."""
PARTS = 10
SMALLEST_PART = 2
"""Fewest requests of such a part."""
DRAWS = 1000
"""Resamples behind a variance; fewer for very many values."""
_WORK = 20_000_000
_CHUNK = 2_000_000

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantile, or a mean of several, with what each contributes to its variance."""

    value: float
    n: int
    variances: tuple[tuple[float, int], ...] = ()
    """(Variance, degrees of freedom) of independent parts; empty where there are too few pieces."""


@dataclass(slots=True)
class _Group:
    """The measured requests of one path at one level."""

    at_ns: list[int] = field(default_factory=list)
    blocks: list[int | None] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    values: "dict[str, array[float]]" = field(default_factory=dict)
    """Metric -> its values."""
    owners: "dict[str, array[int]]" = field(default_factory=dict)
    """Metric -> for each value, the place of its request in the lists above."""


class Observations:
    """Collects the records of one run; a record that was written twice counts once."""

    def __init__(self, metrics: Iterable[str], quantiles: Iterable[float] = (0.5, 0.95)) -> None:
        self.metrics = tuple(metrics)
        self.quantiles = tuple(quantiles)
        self.failed: dict[str, int] = defaultdict(int)
        """Path -> measured requests that failed."""
        self.ended: dict[str, int] = defaultdict(int)
        """Path -> measured requests that ended by themselves."""
        self.reasoned: dict[str, bool] = defaultdict(bool)
        """Path -> whether reasoning came before an answer."""
        self._groups: dict[tuple[str, int | None], _Group] = defaultdict(_Group)
        self._seen: set[tuple[str, int]] = set()
        self._draws: dict[tuple[str, int | None], _Drawn] = {}

    def add(self, record: RequestRecord) -> None:
        """Take one record."""
        key = record.worker_id, record.seq
        if key in self._seen:
            return
        self._seen.add(key)
        if record.phase is not Phase.MEASURE or record.outcome is Outcome.CANCELLED:
            return
        self.ended[record.path] += 1
        if record.outcome is not Outcome.OK:
            self.failed[record.path] += 1
            return
        self.reasoned[record.path] |= (
            record.first_token_ns is not None and record.first_token_ns != record.first_output_ns
        )
        group = self._groups[record.path, record.level]
        place = len(group.tasks)
        group.at_ns.append(record.scheduled_ns)
        group.blocks.append(record.block)
        group.tasks.append(record.task)
        for metric in self.metrics:
            if values := METRICS[metric].formula(record):
                group.values.setdefault(metric, array("d")).extend(values)
                group.owners.setdefault(metric, array("q")).extend([place] * len(values))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that have an answer, in the order of their first."""
        return tuple(dict.fromkeys(path for path, _ in self._groups))

    def levels(self, path: str) -> tuple[int | None, ...]:
        """The levels of a path, lowest first; None stands for no planned level."""
        return tuple(sorted((level for of, level in self._groups if of == path), key=lambda one: one or 0))

    def tasks(self, path: str, level: int | None) -> frozenset[str]:
        """The tasks that a path answered at a level."""
        return frozenset(self._groups[path, level].tasks)

    def quantile(
        self, path: str, level: int | None, metric: str, quantile: float | None, *tasks: str
    ) -> Estimate | None:
        """A quantile (None: the mean) of these tasks, pooled; None where n is too small."""
        drawn = self._drawn(path, level)
        values, pieces = drawn.cell(metric, tasks)
        n = len(values)
        if not n or (quantile is not None and not enough_for(quantile, n)):
            return None
        value = float(values.mean() if quantile is None else np.quantile(values, quantile))
        if drawn.weights is None or len(np.unique(pieces)) < SMALLEST_BLOCKS:
            return Estimate(value, n)
        found = _resampled(values, pieces, drawn.weights[: max(200, _WORK // n)], quantile)
        return Estimate(value, n, (_variance(found, drawn.weights.shape[1]),))

    def quantile_of_tasks(
        self, path: str, level: int | None, metric: str, quantile: float | None, tasks: frozenset[str]
    ) -> Estimate | None:
        """All of these tasks together; None where n is too small.

        A median is the mean of the tasks' medians: that of the pooled requests would lie where one task
        ends and the next begins. Other statistics are of the pooled requests.
        """
        if quantile != 0.5 or len(tasks) < 2:
            return self.quantile(path, level, metric, quantile, *tasks)
        drawn = self._drawn(path, level)
        cells = [drawn.cell(metric, (task,)) for task in sorted(tasks)]
        cells = [(values, pieces) for values, pieces in cells if len(values)]
        if not cells:
            return None
        n = sum(len(values) for values, _ in cells)
        value = sum(float(np.median(values)) for values, _ in cells) / len(cells)
        if drawn.weights is None:
            return Estimate(value, n)
        # The tasks share their pieces: what a piece has in common does not average out.
        weights = drawn.weights[: max(200, _WORK // n)]
        found = np.mean([_resampled(values, pieces, weights, 0.5) for values, pieces in cells], axis=0)
        return Estimate(value, n, (_variance(found, weights.shape[1]),))

    def _drawn(self, path: str, level: int | None) -> "_Drawn":
        key = path, level
        if key not in self._draws:
            self._draws[key] = _Drawn(self._groups[key], repr(key))
        return self._draws[key]


class _Drawn:
    """One group cut into pieces, with how often each piece is in each resample."""

    def __init__(self, group: _Group, key: str) -> None:
        self._group = group
        self._pieces = _pieces(group.at_ns, group.blocks)
        self._tasks = np.asarray(group.tasks)
        m = int(self._pieces.max()) + 1
        self.weights: _Ints | None = None
        if m >= SMALLEST_BLOCKS:
            rng = np.random.default_rng(zlib.crc32(key.encode(errors="replace")))
            self.weights = rng.multinomial(m, np.full(m, 1 / m), size=DRAWS)

    def cell(self, metric: str, tasks: Sequence[str]) -> tuple[_Floats, _Ints]:
        """Values of these tasks, and the piece of each."""
        values = np.asarray(self._group.values.get(metric, ()), dtype=np.float64)
        owners = np.asarray(self._group.owners.get(metric, ()), dtype=np.int64)
        chosen = np.isin(self._tasks[owners], tasks)
        return values[chosen], self._pieces[owners[chosen]]


def _variance(draws: _Floats, m: int) -> tuple[float, int]:
    """Variance and degrees of freedom; m pieces drawn from m show only (m - 1)/m of the variance."""
    return float(np.var(draws[np.isfinite(draws)])) * m / (m - 1), m - 1


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of estimates of independent requests."""
    k = len(estimates)
    known = all(one.variances for one in estimates)
    return Estimate(
        value=sum(one.value for one in estimates) / k,
        n=sum(one.n for one in estimates),
        variances=tuple((variance / k**2, df) for one in estimates for variance, df in one.variances)
        if known
        else (),
    )


def _pieces(at_ns: Sequence[int], blocks: Sequence[int | None]) -> _Ints:
    """For each request the number of its piece."""
    if None not in blocks:
        found, pieces = np.unique(np.asarray(blocks), return_inverse=True)
        if len(found) >= SMALLEST_BLOCKS:
            return np.asarray(pieces, dtype=np.int64)
    n = len(at_ns)
    parts = max(1, min(PARTS, n // SMALLEST_PART))
    order = np.argsort(np.asarray(at_ns, dtype=np.float64), kind="stable")
    pieces = np.empty(n, dtype=np.int64)
    pieces[order] = np.arange(n) * parts // n
    return pieces


def _resampled(values: _Floats, pieces: _Ints, weights: _Ints, quantile: float | None) -> _Floats:
    """The statistic of every resample; NaN where one holds no value at all."""
    if quantile is None:
        sums = np.bincount(pieces, values, weights.shape[1])
        counts = np.bincount(pieces, minlength=weights.shape[1])
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: _Floats = (weights @ sums) / (weights @ counts)
        return mean
    order = np.argsort(values)
    ordered, of = values[order], pieces[order]
    out = np.empty(len(weights))
    step = max(1, _CHUNK // len(values))
    for start in range(0, len(weights), step):
        # How many values of the resample are at most the i-th smallest.
        ranks = np.cumsum(weights[start : start + step][:, of], axis=1)
        total = ranks[:, -1]
        position = quantile * (np.maximum(total, 1) - 1)
        below = np.floor(position)
        low = ordered[np.minimum((ranks <= below[:, None]).sum(axis=1), len(ordered) - 1)]
        above = np.minimum(below + 1, total - 1)
        high = ordered[np.minimum((ranks <= above[:, None]).sum(axis=1), len(ordered) - 1)]
        found = low + (high - low) * (position - below)
        out[start : start + step] = np.where(total > 0, found, math.nan)
    return out
