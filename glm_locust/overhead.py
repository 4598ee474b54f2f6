"""What one path adds to another: difference of quantiles with a bootstrap interval.

Strata are what both paths were asked alike: one task at one load. Within a stratum the difference is
that of the two quantiles; over several strata it is the mean of their differences, so that no task
weighs more because it is slower or was asked more often. Requests are drawn anew per stratum and path
and, where every block holds enough of them, per block: what differs between blocks is then not taken for
noise between requests.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from glm_locust.metrics import enough_for

DRAWS = 2000
"""Resamples behind an interval."""
CONFIDENCE = 0.95
SMALLEST_N = 5
"""Fewest requests per stratum and path for an interval: resampling fewer says little of the spread."""
SMALLEST_BLOCK = 10
"""Fewest requests per block to resample within blocks; m of them show only (m - 1)/m of the variance."""

_WORK = 20_000_000
"""Values drawn per stratum and path at most, but never fewer than a quarter of the draws."""
_CHUNK = 1_000_000

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric of one path in one stratum; `blocks` (if given) is as long as `values`."""

    values: Sequence[float]
    blocks: Sequence[int | None] = ()


@dataclass(frozen=True, slots=True)
class Stratum:
    """The same questions at the same load on the path and on its base."""

    path: Sample
    base: Sample


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval; `low` and `high` are None where n is too small."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low is not None and self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Path - base, at one quantile."""

    quantile: float
    n: int
    n_base: int
    path: float
    """Mean over the strata of the path's quantile."""
    base: float
    difference: Interval
    ratio: Interval | None
    """difference / base, as a share; None where the base is not positive."""
    draws: _Floats | None = field(repr=False, compare=False)
    """The resampled differences, for `contrast`."""


def difference(
    strata: Sequence[Stratum],
    *,
    quantile: float = 0.5,
    key: str = "",
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Difference | None:
    """Path - base over all strata that both were asked in; None where there is none, or n too small.

    The same values, `key` and `seed` always give the same interval.
    """
    both = [s for s in strata if _enough(s.path, quantile) and _enough(s.base, quantile)]
    if not both:
        return None
    path = float(np.mean([np.quantile(s.path.values, quantile) for s in both]))
    base = float(np.mean([np.quantile(s.base.values, quantile) for s in both]))
    drawn = _draw(both, quantile, np.random.default_rng([seed, zlib.crc32(key.encode())]))
    shares = None
    if drawn is not None and bool(np.all(drawn[1] > 0)):
        shares = (drawn[0] - drawn[1]) / drawn[1]
    draws = None if drawn is None else drawn[0] - drawn[1]
    return Difference(
        quantile=quantile,
        n=sum(len(s.path.values) for s in both),
        n_base=sum(len(s.base.values) for s in both),
        path=path,
        base=base,
        difference=_interval(path - base, draws, confidence),
        ratio=_interval((path - base) / base, shares, confidence) if base > 0 else None,
        draws=draws,
    )


def contrast(
    later: Sequence[Difference], earlier: Sequence[Difference], *, confidence: float = CONFIDENCE
) -> Interval:
    """Mean of the later differences - mean of the earlier ones; all of disjoint requests."""
    every = (*later, *earlier)
    n = min(0 if one.draws is None else len(one.draws) for one in every)
    value = _mean([one.difference.value for one in later]) - _mean([one.difference.value for one in earlier])
    if not n:
        return Interval(value)
    after, before = ([one.draws[:n] for one in of if one.draws is not None] for of in (later, earlier))
    return _interval(value, np.mean(after, axis=0) - np.mean(before, axis=0), confidence)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _enough(sample: Sample, quantile: float) -> bool:
    return enough_for(quantile, len(sample.values))


def _interval(value: float, draws: _Floats | None, confidence: float) -> Interval:
    if draws is None:
        return Interval(value)
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _draw(
    strata: Sequence[Stratum], quantile: float, rng: np.random.Generator
) -> tuple[_Floats, _Floats] | None:
    """Resampled quantiles of path and base, each the mean over the strata."""
    smallest = min(min(len(s.path.values), len(s.base.values)) for s in strata)
    if smallest < SMALLEST_N:
        return None
    largest = max(max(len(s.path.values), len(s.base.values)) for s in strata)
    draws = max(DRAWS // 4, min(DRAWS, _WORK // largest))
    path = np.mean([_quantiles(s.path, quantile, draws, rng) for s in strata], axis=0)
    base = np.mean([_quantiles(s.base, quantile, draws, rng) for s in strata], axis=0)
    return path, base


def _quantiles(sample: Sample, quantile: float, draws: int, rng: np.random.Generator) -> _Floats:
    values = np.asarray(sample.values, dtype=np.float64)
    groups = _groups(sample, values)
    out = np.empty(draws)
    step = max(1, _CHUNK // len(values))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        drawn = [group[rng.integers(0, len(group), (rows, len(group)))] for group in groups]
        out[start : start + rows] = np.quantile(np.concatenate(drawn, axis=1), quantile, axis=1)
    return out


def _groups(sample: Sample, values: _Floats) -> list[_Floats]:
    if not sample.blocks or None in sample.blocks:
        return [values]
    blocks = np.asarray(sample.blocks)
    groups = [values[blocks == block] for block in np.unique(blocks)]
    return groups if min(map(len, groups)) >= SMALLEST_BLOCK else [values]
