"""What one path adds to another: difference of quantiles with a bootstrap interval.

Strata are what both paths were asked alike: one task at one load. Within a stratum the difference is
that of the two quantiles; over several strata it is the mean of their differences, so that no task
weighs more because it is slower or was asked more often.

A machine has better and worse minutes, and all requests of a minute share them: taken for independent,
they would claim differences that the next run does not show. So whole rounds are drawn (in a round every
path has its turn), the same ones for both sides and all tasks: what differs between rounds cancels where
it hit both paths, and widens the interval where it hit one. Where a run has too few rounds, requests are
drawn one by one, and the interval knows nothing of such minutes.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from glm_locust.metrics import enough_for
from glm_locust.metrics.student import critical_value

DRAWS = 2000
"""Resamples behind an interval."""
CONFIDENCE = 0.95
SMALLEST_N = 5
"""Fewest requests per stratum and path for an interval: resampling fewer says little of the spread."""
FEWEST_ROUNDS = 4
"""Fewest rounds to draw rounds instead of requests."""

_WORK = 20_000_000
"""Values drawn per sample at most, but never fewer than a quarter of the draws."""
_CHUNK = 1_000_000

_NORMAL = 1.959964
"""What Student's value comes to with many rounds."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric of one path in one stratum, and in which round each value was measured, where known."""

    values: Sequence[float]
    rounds: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """One quantile of one sample, with the quantiles of its resamples; no draws where n is too small."""

    quantile: float
    n: int
    value: float
    draws: _Floats | None = field(repr=False, compare=False)
    by_rounds: bool = False
    """Whether rounds were drawn, not requests."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """The same questions at the same load on the path and on its base; None: too few to tell."""

    path: Estimate | None
    base: Estimate | None


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
    by_rounds: bool
    """Whether the interval holds what differs from round to round."""


def estimate(
    sample: Sample, quantile: float = 0.5, *, key: str = "", load: str = "", seed: int = 0
) -> Estimate | None:
    """The sample's quantile and its resamples; None where n is too small to print it.

    The same values, `key` and `seed` always draw the same; give every sample a key of its own. Samples
    of one `load` were measured in the same rounds.
    """
    n = len(sample.values)
    if not enough_for(quantile, n):
        return None
    value = float(np.quantile(sample.values, quantile))
    if n < SMALLEST_N:
        return Estimate(quantile, n, value, None)
    draws = max(DRAWS // 4, min(DRAWS, _WORK // n))
    values = np.asarray(sample.values, dtype=np.float64)
    rounds = len(set(sample.rounds))
    if rounds >= FEWEST_ROUNDS:
        rng = np.random.default_rng([seed, rounds, zlib.crc32(load.encode())])
        drawn = _by_rounds(values, np.asarray(sample.rounds), quantile, draws, rng)
        return Estimate(quantile, n, value, value + (drawn - value) * _widening(rounds), by_rounds=True)
    rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
    return Estimate(quantile, n, value, _by_requests(values, quantile, draws, rng))


def difference(strata: Sequence[Stratum], *, confidence: float = CONFIDENCE) -> Difference | None:
    """Path - base over all strata that both were asked in, all of one quantile; None where there is none."""
    paths, bases = [], []
    for stratum in strata:
        if stratum.path is not None and stratum.base is not None:
            paths.append(stratum.path)
            bases.append(stratum.base)
    if not paths:
        return None
    path, base = _mean([one.value for one in paths]), _mean([one.value for one in bases])
    path_draws, base_draws = _mean_draws(paths), _mean_draws(bases)
    draws = shares = None
    if path_draws is not None and base_draws is not None:
        n = min(len(path_draws), len(base_draws))
        draws = path_draws[:n] - base_draws[:n]
        if np.all(base_draws > 0):
            shares = draws / base_draws[:n]
    return Difference(
        quantile=paths[0].quantile,
        n=sum(one.n for one in paths),
        n_base=sum(one.n for one in bases),
        path=path,
        base=base,
        difference=_interval(path - base, draws, confidence),
        ratio=_interval((path - base) / base, shares, confidence) if base > 0 else None,
        draws=draws,
        by_rounds=all(one.by_rounds for one in (*paths, *bases)),
    )


def contrast(
    later: Sequence[Difference], earlier: Sequence[Difference], *, confidence: float = CONFIDENCE
) -> Interval:
    """Mean of the later differences - mean of the earlier ones; all of disjoint requests."""
    value = _mean([one.difference.value for one in later]) - _mean([one.difference.value for one in earlier])
    after, before = _mean_draws(later), _mean_draws(earlier)
    if after is None or before is None:
        return Interval(value)
    n = min(len(after), len(before))
    return _interval(value, after[:n] - before[:n], confidence)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _mean_draws(drawn: Sequence[Estimate | Difference]) -> _Floats | None:
    """Mean of the draws, one by one; None where one of them has none."""
    every = [one.draws for one in drawn if one.draws is not None]
    if len(every) < len(drawn):
        return None
    n = min(map(len, every))
    mean: _Floats = np.mean([draws[:n] for draws in every], axis=0)
    return mean


def _interval(value: float, draws: _Floats | None, confidence: float) -> Interval:
    if draws is None:
        return Interval(value)
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))


def _by_requests(values: _Floats, quantile: float, draws: int, rng: np.random.Generator) -> _Floats:
    position = quantile * (len(values) - 1)
    below = math.floor(position)
    above = min(below + 1, len(values) - 1)
    out = np.empty(draws)
    step = max(1, _CHUNK // len(values))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        drawn = values[rng.integers(0, len(values), (rows, len(values)))]
        # np.quantile does the same, five times slower.
        ranked = np.partition(drawn, (below, above), axis=1)
        out[start : start + rows] = ranked[:, below] + (ranked[:, above] - ranked[:, below]) * (
            position - below
        )
    return out


def _by_rounds(
    values: _Floats, rounds: npt.NDArray[np.int64], quantile: float, draws: int, rng: np.random.Generator
) -> _Floats:
    """As many rounds as there are, drawn anew; every value counts as often as its round was drawn."""
    known, place = np.unique(rounds, return_inverse=True)
    order = np.argsort(values)
    ranked, place = values[order], place[order]
    out = np.empty(draws)
    step = max(1, _CHUNK // len(values))
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picks = rng.integers(0, len(known), (rows, len(known)))
        times = np.stack([np.count_nonzero(picks == number, axis=1) for number in range(len(known))], axis=1)
        reached = np.cumsum(times[:, place], axis=1)
        position = quantile * (reached[:, -1] - 1)
        below = np.floor(position).astype(np.int64)
        low = ranked[np.argmax(reached > below[:, None], axis=1)]
        high = ranked[np.argmax(reached > np.minimum(below + 1, reached[:, -1] - 1)[:, None], axis=1)]
        out[start : start + rows] = low + (high - low) * (position - below)
    return out


def _widening(rounds: int) -> float:
    """What a bootstrap of so few rounds lacks: 1/m of their variance, and the tails of Student's t."""
    student = critical_value(CONFIDENCE, rounds - 1)
    return student / _NORMAL * math.sqrt(rounds / (rounds - 1))
