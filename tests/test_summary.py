"""Summary against the bound it promises, and merges in any order."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.metrics import RELATIVE_ERROR_BOUND, SMALLEST_N, Summary, enough_for
from glm_locust.metrics.summary import BINS_PER_OCTAVE

QUANTILES = (0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)
SIZES = (1, 2, 3, 10, 1000, 20_000)
ROUNDING = 1e-12
"""Floating-point noise of the interpolation, beside the bound."""

RNG = np.random.default_rng(20250714)
DISTRIBUTIONS = {
    "one constant": lambda n: np.full(n, 0.2),
    "zero only": np.zeros,
    "two constants far apart": lambda n: np.where(np.arange(n) % 3 == 0, 1e-6, 1e3),
    "powers of two, the edges of octaves": lambda n: 2.0 ** (np.arange(n) % 40 - 20),
    "just below powers of two": lambda n: np.nextafter(2.0 ** (np.arange(n) % 40 - 20), 0),
    "edges of bins": lambda n: 1 + (np.arange(n) % 128) / 128,
    "uniform": lambda n: RNG.uniform(0, 1, n),
    "uniform far from zero": lambda n: RNG.uniform(1000, 1001, n),
    "exponential": lambda n: RNG.exponential(0.05, n),
    "log-normal": lambda n: RNG.lognormal(-1, 0.5, n),
    "log-normal over many octaves": lambda n: RNG.lognormal(0, 6, n),
    "Pareto with a heavy tail": lambda n: RNG.pareto(0.7, n) + 1,
    "gamma": lambda n: RNG.gamma(0.3, 2, n),
    "Weibull": lambda n: RNG.weibull(0.5, n),
    "two humps": lambda n: np.where(RNG.random(n) < 0.7, RNG.normal(0.2, 0.01, n), RNG.normal(5, 0.3, n)),
    "counts": lambda n: RNG.poisson(120, n).astype(float),
    "mostly zero": lambda n: np.where(RNG.random(n) < 0.9, 0, RNG.exponential(1, n)),
    "whole microseconds": lambda n: RNG.integers(1, 50_000, n) * 1e-6,
    "rising": lambda n: np.arange(1, n + 1, dtype=float),
    "falling": lambda n: np.arange(n, 0, -1, dtype=float),
    "negative": lambda n: -RNG.lognormal(0, 1, n),
    "tiny": lambda n: RNG.uniform(1, 2, n) * 1e-290,
    "huge": lambda n: RNG.uniform(1, 2, n) * 1e290,
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_quantiles_keep_the_promised_bound(name: str, size: int) -> None:
    values = DISTRIBUTIONS[name](size)
    summary = Summary(values.tolist())
    for q in QUANTILES:
        exact = float(np.quantile(values, q))
        got = summary.quantile(q)
        assert got is not None
        assert abs(got - exact) <= (RELATIVE_ERROR_BOUND + ROUNDING) * abs(exact), (name, size, q)
    assert summary.n == size
    assert summary.minimum == values.min()
    assert summary.maximum == values.max()


def test_the_bound_is_what_the_readme_says() -> None:
    assert RELATIVE_ERROR_BOUND <= 0.005


finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150)
lists = st.lists(finite, max_size=40)


@given(st.lists(lists, max_size=6), st.randoms())
def test_any_grouping_and_order_of_merges_gives_the_same_summary(
    parts: list[list[float]], order: random.Random
) -> None:
    straight = Summary(value for part in parts for value in part)
    summaries = [Summary(part) for part in parts]
    order.shuffle(summaries)
    while len(summaries) > 1:
        taken = summaries.pop(order.randrange(len(summaries)))
        summaries[order.randrange(len(summaries))].merge(taken)
    merged = summaries[0] if summaries else Summary()
    assert merged == straight
    assert merged.quantile(0.5) == straight.quantile(0.5)


@given(st.lists(st.floats(min_value=1e-9, max_value=1e9), min_size=1, max_size=60), st.floats(0, 1))
def test_bound_holds_for_any_positive_values(values: list[float], q: float) -> None:
    exact = float(np.quantile(values, q))
    got = Summary(values).quantile(q)
    assert got is not None
    assert abs(got - exact) <= (RELATIVE_ERROR_BOUND + ROUNDING) * exact


def test_a_merged_summary_stays_as_it_is() -> None:
    one, other = Summary([1.0, 2.0]), Summary([3.0])
    one.merge(other)
    assert (one.n, other.n) == (3, 1)
    one.merge(one)
    assert (one.n, one.minimum, one.maximum) == (6, 1.0, 3.0)


def test_empty() -> None:
    empty = Summary()
    assert (empty.n, empty.minimum, empty.maximum, empty.quantile(0.5)) == (0, None, None, None)
    assert empty == Summary([])
    assert empty != Summary([0.0])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_refused(value: float) -> None:
    summary = Summary([1.0])
    with pytest.raises(ValueError, match="finite"):
        summary.add_all([value])
    assert summary == Summary([1.0])


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_what_is_not_a_quantile_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Summary([1.0]).quantile(q)


@pytest.mark.parametrize(
    ("q", "n", "shown"),
    [
        (0.5, 0, False),
        (0.5, 1, True),
        (0.95, 19, False),
        (0.95, 20, True),
        (0.99, 99, False),
        (0.99, 100, True),
    ],
)
def test_percentiles_are_printed_from_enough_values_only(q: float, n: int, *, shown: bool) -> None:
    assert enough_for(q, n) is shown
    assert SMALLEST_N == {0.95: 20, 0.99: 100}


@given(st.lists(st.lists(st.floats(-1e150, 1e150), max_size=20), max_size=5))
def test_many_at_once_are_the_same_as_one_after_the_other(parts: list[list[float]]) -> None:
    at_once = Summary()
    for part in parts:
        at_once.add_all(part)
    assert at_once == Summary(value for part in parts for value in part)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_very_many_at_once_too(name: str) -> None:
    values = [float(value) for value in DISTRIBUTIONS[name](3000)]
    at_once, one_by_one = Summary(), Summary()
    at_once.add_all(values)
    for value in values:
        one_by_one.add_all([value])
    assert at_once == one_by_one


def test_many_at_once_are_taken_all_or_none() -> None:
    summary = Summary([1.0])
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            summary.add_all([2.0, bad])
    assert summary == Summary([1.0])


def test_several_quantiles_are_those_one_by_one() -> None:
    summary = Summary(DISTRIBUTIONS["log-normal"](1000))
    assert summary.quantiles(QUANTILES) == tuple(summary.quantile(q) for q in QUANTILES)
    assert Summary().quantiles((0.5, 0.9)) == (None, None)


def bin_of(value: float) -> tuple[float, int]:
    """The octave that a value lies in, by its lower edge, and its bin there."""
    fraction, exponent = math.frexp(abs(value))
    return math.copysign(math.ldexp(0.5, exponent), value), int((fraction * 2 - 1) * BINS_PER_OCTAVE)


def slow_quantile(values: list[float], q: float) -> float:
    """The definition: of each neighbour in order the middle of its bin, the outermost exact."""
    ordered = sorted(values)

    def shown(rank: int) -> float:
        value = ordered[rank]
        if value == 0 or rank in (0, len(ordered) - 1):
            return value
        edge, step = bin_of(value)
        return min(max(edge * (1 + (step + 0.5) / BINS_PER_OCTAVE), ordered[0]), ordered[-1])

    position = q * (len(ordered) - 1)
    below = math.floor(position)
    low, high = shown(below), shown(min(below + 1, len(ordered) - 1))
    return low + (high - low) * (position - below)


normal = st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12) | st.just(0.0) | st.integers(-9, 9).map(float)


@given(st.lists(st.lists(normal, max_size=40), min_size=1, max_size=4), st.floats(0, 1))
def test_the_bits_of_floats_give_what_arithmetic_gives(parts: list[list[float]], q: float) -> None:
    summary, values = Summary(), [value for part in parts for value in part]
    for part in parts:
        summary.add_all(part)
    assert summary.quantile(q) == (slow_quantile(values, q) if values else None)
