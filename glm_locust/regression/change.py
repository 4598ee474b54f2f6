"""Change: one metric on one path for one task, from the base run to the new one.

All changes of two runs are one claim: their p values are corrected together (Holm), so that two runs of
the same thing have any "better" or "worse" between them in at most 5 % of all cases.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from glm_locust.correlate.association import holm
from glm_locust.metrics import METRICS, Better
from glm_locust.metrics.student import critical_value, two_sided_p
from glm_locust.overhead import Interval
from glm_locust.regression.observations import Estimate, Observations, mean_of
from glm_locust.slo import FailureShare, MetricStatistic

ERROR_RATE = 0.05
"""How often runs of the same thing may show any difference at all."""
CONFIDENCE = 0.95
SMALLEST_CHANGE = 0.03
"""Changes below this share of the base are no news: from day to day the same engine differs by as much."""

Measure = MetricStatistic | FailureShare


class Verdict(StrEnum):
    """What may be said of one change."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no_difference_shown"
    UNSURE = "too_few"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change is: one path, and one task or level of it or all of them (None)."""

    path: str
    task: str | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """New - base at one place; an interval without bounds has too few pieces behind it."""

    measure: Measure
    place: Place
    n_base: int
    n_new: int
    base: float
    new: float
    difference: Interval
    relative: Interval | None
    """Difference as a share of the base; None for shares, and where the base is not positive."""
    p: float | None
    p_adjusted: float | None = None
    verdict: Verdict = Verdict.UNSURE


MEDIAN = 0.5
DEFAULT_MEASURES = (
    MetricStatistic("ttft_s", "p50", 0.5),
    MetricStatistic("tpot_s", "p50", 0.5),
    MetricStatistic("e2e_s", "p50", 0.5),
    MetricStatistic("ttft_s", "p95", 0.95),
    MetricStatistic("e2e_s", "p95", 0.95),
)
"""What every comparison looks at, besides the share of failures. Of p95 only whole paths."""
TTFO = MetricStatistic("ttfo_s", "p50", 0.5)
"""Looked at where reasoning comes before answers."""


def changes(
    base: Observations,
    new: Observations,
    measures: Iterable[Measure] = DEFAULT_MEASURES,
    *,
    smallest_change: float = SMALLEST_CHANGE,
    wanted: Callable[[Measure, Place], bool] = lambda _measure, _place: False,
) -> tuple[Change, ...]:
    """Every change at every place that both runs measured, corrected for how many they are.

    Tasks and levels are told of medians, and of other statistics where `wanted` asks for them.
    """
    found = [
        change
        for measure in dict.fromkeys(measures)
        for path in base.paths
        if path in new.paths
        if isinstance(measure, MetricStatistic)
        for change in _of_path(base, new, measure, path, wanted)
    ]
    found += [change for path in base.ended if (change := _failures(base, new, path)) is not None]
    known = [change.p for change in found if change.p is not None]
    adjusted = iter(holm(known))
    return tuple(
        _judged(change, None if change.p is None else next(adjusted), smallest_change) for change in found
    )


def _judged(change: Change, p_adjusted: float | None, smallest_change: float) -> Change:
    verdict = Verdict.UNSURE
    if p_adjusted is not None:
        verdict = Verdict.SAME
        news = change.relative is None or abs(change.relative.value) >= smallest_change
        better = _better(change.measure)
        if p_adjusted < ERROR_RATE and news and better is not None:
            good = (change.difference.value > 0) is (better is Better.HIGHER)
            verdict = Verdict.BETTER if good else Verdict.WORSE
    return replace(change, p_adjusted=p_adjusted, verdict=verdict)


def _better(measure: Measure) -> Better | None:
    better = Better.LOWER if isinstance(measure, FailureShare) else METRICS[measure.metric].better
    return None if better is Better.NONE else better


def _of_path(
    base: Observations,
    new: Observations,
    measure: MetricStatistic,
    path: str,
    wanted: Callable[[Measure, Place], bool],
) -> Iterator[Change]:
    shared = {
        level: base.tasks(path, level) & new.tasks(path, level)
        for level in base.levels(path)
        if level in new.levels(path)
    }
    tasks = sorted(set().union(*shared.values()))
    for place in _places(path, tasks, tuple(shared)):
        whole = (place.task, place.level) == (None, None)
        if not (whole or measure.quantile == MEDIAN or wanted(measure, place)):
            continue
        pairs = [
            (one, other)
            for level in shared
            if place.level in (None, level)
            if (one := _estimate(base, measure, place, level, shared[level])) is not None
            if (other := _estimate(new, measure, place, level, shared[level])) is not None
        ]
        if pairs:
            of_base, of_new = (mean_of(side) for side in zip(*pairs, strict=True))
            yield _change(measure, place, of_base, of_new)


def _places(path: str, tasks: Sequence[str], levels: Sequence[int | None]) -> Iterator[Place]:
    yield Place(path)
    if len(tasks) > 1:
        yield from (Place(path, task=task) for task in tasks)
    if len(levels) > 1:
        yield from (Place(path, level=level) for level in levels if level is not None)


def _estimate(
    run: Observations, measure: MetricStatistic, place: Place, level: int | None, tasks: frozenset[str]
) -> Estimate | None:
    if place.task is not None:
        return run.quantile(place.path, level, measure.metric, measure.quantile, place.task)
    return run.quantile_of_tasks(place.path, level, measure.metric, measure.quantile, tasks)


def _change(measure: MetricStatistic, place: Place, base: Estimate, new: Estimate) -> Change:
    difference = new.value - base.value
    ratio = new.value / base.value if base.value > 0 else None
    change = Change(
        measure=measure,
        place=place,
        n_base=base.n,
        n_new=new.n,
        base=base.value,
        new=new.value,
        difference=Interval(difference),
        relative=None if ratio is None else Interval(ratio - 1),
        p=None,
    )
    if not (base.variances and new.variances):
        return change
    absolute = _Spread.of((*base.variances, *new.variances))
    interval = absolute.around(difference)
    if ratio is None:
        return replace(change, difference=interval, p=absolute.p(difference))
    scale = base.value**2
    shares = _Spread.of(
        (
            *((variance * ratio**2 / scale, df) for variance, df in base.variances),
            *((variance / scale, df) for variance, df in new.variances),
        )
    )
    return replace(change, difference=interval, relative=shares.around(ratio - 1), p=absolute.p(difference))


@dataclass(frozen=True, slots=True)
class _Spread:
    """Standard error with its effective degrees of freedom (Welch, Satterthwaite)."""

    error: float
    df: float

    @classmethod
    def of(cls, variances: Iterable[tuple[float, int]]) -> "_Spread":
        parts = tuple(variances)
        total = sum(variance for variance, _ in parts)
        if not total:
            return cls(0.0, float(min(df for _, df in parts)))
        return cls(math.sqrt(total), total**2 / sum(variance**2 / df for variance, df in parts))

    def around(self, value: float) -> Interval:
        reach = critical_value(CONFIDENCE, self.df) * self.error
        return Interval(value, value - reach, value + reach)

    def p(self, value: float) -> float:
        if not self.error:
            return float(not value)
        return two_sided_p(value / self.error, self.df)


def _failures(base: Observations, new: Observations, path: str) -> Change | None:
    """The change of the share of failed requests; Fisher's exact test, Newcombe's interval."""
    n, n_new = base.ended[path], new.ended.get(path, 0)
    if not n or not n_new:
        return None
    failed, failed_new = base.failed.get(path, 0), new.failed.get(path, 0)
    share, share_new = failed / n, failed_new / n_new
    low, high = _wilson(failed, n)
    low_new, high_new = _wilson(failed_new, n_new)
    difference = share_new - share
    return Change(
        measure=FailureShare(),
        place=Place(path),
        n_base=n,
        n_new=n_new,
        base=share,
        new=share_new,
        difference=Interval(
            difference,
            difference - math.hypot(share_new - low_new, high - share),
            difference + math.hypot(high_new - share_new, share - low),
        ),
        relative=None,
        p=_fisher(failed, n, failed_new, n_new),
    )


def _wilson(k: int, n: int) -> tuple[float, float]:
    z2 = 1.96**2
    centre = (k + z2 / 2) / (n + z2)
    reach = math.sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _fisher(k: int, n: int, k_new: int, n_new: int) -> float:
    """Two-sided: the probability of all tables that are no likelier than this one."""
    total = k + k_new

    def log_likelihood(one: int) -> float:
        return _log_choose(n, one) + _log_choose(n_new, total - one)

    logs = [log_likelihood(one) for one in range(max(0, total - n_new), min(n, total) + 1)]
    seen = log_likelihood(k)
    all_of_them = _log_choose(n + n_new, total)
    return min(1.0, sum(math.exp(one - all_of_them) for one in logs if one <= seen + 1e-9))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
