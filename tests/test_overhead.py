"""Differences of quantiles: by hand, and their intervals on simulated runs whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.overhead import (
    FEWEST_ROUNDS,
    SMALLEST_N,
    Difference,
    Interval,
    Sample,
    Stratum,
    contrast,
    difference,
    estimate,
)


@dataclass
class Pair:
    """What path and base were measured at in one stratum."""

    path: Sample
    base: Sample


def stratum(path: list[float], base: list[float]) -> Pair:
    return Pair(Sample(path), Sample(base))


def compared(pairs: Sequence[Pair], quantile: float = 0.5, seed: int = 0) -> Difference | None:
    return difference(
        [
            Stratum(
                estimate(pair.path, quantile, key=f"{number} path", seed=seed),
                estimate(pair.base, quantile, key=f"{number} base", seed=seed),
            )
            for number, pair in enumerate(pairs)
        ]
    )


def of(*pairs: Pair, seed: int = 0) -> Difference:
    got = compared(pairs, seed=seed)
    assert got is not None
    return got


def test_difference_of_medians_by_hand() -> None:
    got = of(stratum([3, 1, 2], [0.5, 1, 1.5]))
    assert (got.path, got.base, got.difference.value) == (2, 1, 1)
    assert got.ratio is not None
    assert got.ratio.value == 1
    assert (got.n, got.n_base) == (3, 3)


def test_tasks_weigh_alike_however_often_they_were_asked() -> None:
    got = of(stratum([11] * 100, [10] * 100), stratum([3] * 6, [0.5] * 6))
    assert got.difference.value == pytest.approx((1 + 2.5) / 2)
    assert got.ratio is not None
    assert got.ratio.value == pytest.approx(1.75 / 5.25)


def test_a_task_that_only_one_path_answered_is_left_out() -> None:
    got = of(stratum([2.0] * 6, [1.0] * 6), stratum([9.0] * 6, []))
    assert (got.difference.value, got.n, got.n_base) == (1, 6, 6)


@pytest.mark.parametrize("strata", [[], [stratum([], [])], [stratum([1.0], [])]])
def test_nothing_to_compare(strata: list[Pair]) -> None:
    assert compared(strata) is None


def test_p95_needs_twenty_on_both_paths() -> None:
    assert compared([stratum([1.0] * 20, [1.0] * 19)], 0.95) is None
    assert compared([stratum([1.0] * 20, [1.0] * 20)], 0.95) is not None


def test_too_few_for_an_interval() -> None:
    few = [1.0] * (SMALLEST_N - 1)
    got = of(stratum(few, [0.5] * 50))
    assert got.difference == Interval(0.5)
    assert not got.difference.above_zero


def test_a_base_of_zero_has_no_ratio() -> None:
    assert of(stratum([1.0] * 6, [0.0] * 6)).ratio is None


def test_the_same_values_give_the_same_interval_and_another_seed_another() -> None:
    rng = np.random.default_rng(1)
    one = stratum(rng.lognormal(size=30).tolist(), rng.lognormal(size=30).tolist())
    assert of(one) == of(one)
    assert of(one, seed=1).difference != of(one, seed=2).difference


@given(
    st.lists(st.floats(0.01, 10), min_size=5, max_size=30),
    st.lists(st.floats(0.01, 10), min_size=5, max_size=30),
)
def test_the_interval_turns_round_with_the_paths(path: list[float], base: list[float]) -> None:
    forth, back = of(stratum(path, base)), of(stratum(base, path))
    assert forth.difference.value == pytest.approx(-back.difference.value)
    assert forth.difference.low is not None
    assert forth.difference.high is not None
    assert forth.difference.low <= forth.difference.high
    assert min(path) - max(base) <= forth.difference.low
    assert forth.difference.high <= max(path) - min(base)


def test_many_requests_cost_no_memory_to_speak_of() -> None:
    rng = np.random.default_rng(2)
    got = of(stratum((rng.random(60_000) + 1).tolist(), rng.random(60_000).tolist()))
    assert got.difference.low is not None
    assert 0.97 < got.difference.low < 1 < (got.difference.high or 0) < 1.03


TRUE_EXTRA = 0.3
RUNS = 200
FEWEST_COVERED = 0.90
"""Of 200 runs at 95 %, chance alone leaves fewer than 90 % covered about once in 500."""


def covered(make: list[tuple[list[Pair], float]], quantile: float = 0.5) -> float:
    inside = 0
    for number, (strata, truth) in enumerate(make):
        got = compared(strata, quantile, seed=number)
        assert got is not None
        assert got.difference.low is not None
        assert got.difference.high is not None
        inside += got.difference.low <= truth <= got.difference.high
    return inside / len(make)


@pytest.mark.parametrize("n", [10, 40])
def test_95_percent_intervals_of_the_median_cover_the_truth(n: int) -> None:
    rng = np.random.default_rng(n)
    runs = [
        (
            [
                stratum(
                    (scale * rng.lognormal(0, 0.3, n) + TRUE_EXTRA).tolist(),
                    (scale * rng.lognormal(0, 0.3, n)).tolist(),
                )
                for scale in (1.0, 1.2, 1.6)
            ],
            TRUE_EXTRA,
        )
        for _ in range(RUNS)
    ]
    assert covered(runs) >= FEWEST_COVERED


def test_95_percent_intervals_of_p95_cover_the_truth_from_a_hundred_requests() -> None:
    rng = np.random.default_rng(7)
    runs = [
        (
            [stratum((rng.exponential(1, 100) + TRUE_EXTRA).tolist(), rng.exponential(1, 100).tolist())],
            TRUE_EXTRA,
        )
        for _ in range(RUNS)
    ]
    assert covered(runs, 0.95) >= FEWEST_COVERED


def rounds_of(
    rng: np.random.Generator, rounds: int, size: int, *, shared: float = 0.0, own: float = 0.0
) -> Pair:
    """Paths that differ by TRUE_EXTRA, in rounds that are slow for both alike and for each by itself."""
    numbers = np.repeat(np.arange(rounds), size)
    both = rng.normal(0, shared, rounds)

    def sample(extra: float) -> Sample:
        minutes = both + rng.normal(0, own, rounds)
        return Sample(
            (minutes[numbers] + rng.normal(1 + extra, 0.05, len(numbers))).tolist(), numbers.tolist()
        )

    return Pair(sample(TRUE_EXTRA), sample(0))


@pytest.mark.parametrize(
    ("rounds", "shared", "own"),
    [
        pytest.param(FEWEST_ROUNDS, 0.0, 0.0, id="a machine that is always the same"),
        pytest.param(5, 0.5, 0.0, id="minutes that are slow for both"),
        pytest.param(5, 0.0, 0.1, id="few minutes, each slow for one path"),
        pytest.param(10, 0.2, 0.1, id="more minutes of both kinds"),
        pytest.param(40, 0.0, 0.1, id="a long run"),
    ],
)
def test_intervals_hold_what_differs_from_round_to_round(rounds: int, shared: float, own: float) -> None:
    rng = np.random.default_rng([11, rounds])
    pairs = [rounds_of(rng, rounds, 5, shared=shared, own=own) for _ in range(RUNS)]
    assert covered([([one], TRUE_EXTRA) for one in pairs]) >= FEWEST_COVERED


def test_tasks_of_a_round_share_its_minute() -> None:
    """Three tasks asked in the same slow minute are no three proofs that the path is slow."""
    rng = np.random.default_rng(12)
    runs = []
    for _ in range(RUNS):
        tasks = [rounds_of(rng, 6, 3) for _ in range(3)]
        slow = {side: rng.normal(0, 0.2, 6) for side in ("path", "base")}
        moved = [
            Pair(
                *(
                    Sample(
                        [
                            value + slow[side][number]
                            for value, number in zip(sample.values, sample.rounds, strict=True)
                        ],
                        sample.rounds,
                    )
                    for side, sample in (("path", pair.path), ("base", pair.base))
                )
            )
            for pair in tasks
        ]
        runs.append((moved, TRUE_EXTRA))
    assert covered(runs) >= FEWEST_COVERED


def test_what_is_slow_for_both_in_a_round_widens_nothing() -> None:
    rng = np.random.default_rng(13)

    def width(got: Difference) -> float:
        assert got.difference.low is not None
        assert got.difference.high is not None
        return got.difference.high - got.difference.low

    pairs = [rounds_of(rng, 10, 10, shared=0.5) for _ in range(20)]
    paired = [of(pair) for pair in pairs]
    pooled = [of(Pair(Sample(pair.path.values), Sample(pair.base.values))) for pair in pairs]
    assert all(one.by_rounds for one in paired)
    assert not any(one.by_rounds for one in pooled)
    assert np.median([width(one) for one in paired]) < np.median([width(one) for one in pooled]) / 2


def test_too_few_rounds_are_not_drawn() -> None:
    pair = rounds_of(np.random.default_rng(14), FEWEST_ROUNDS - 1, 10)
    assert not of(pair).by_rounds


def test_contrast_shows_growth_and_no_growth() -> None:
    rng = np.random.default_rng(17)

    def level(extra: float) -> Difference:
        return of(stratum((rng.normal(1 + extra, 0.05, 40)).tolist(), rng.normal(1, 0.05, 40).tolist()))

    assert contrast([level(0.6)], [level(0.2)]).above_zero
    assert contrast([level(0.2)], [level(0.6)]).below_zero
    same = [contrast([level(0.3)], [level(0.3)]) for _ in range(40)]
    assert sum(one.above_zero or one.below_zero for one in same) <= 8, "5 % of 40 are 2"


def test_contrast_of_too_few_has_no_interval() -> None:
    few, many = of(stratum([2.0], [1.0])), of(stratum([3.0] * 9, [1.0] * 9))
    assert contrast([many], [few]) == Interval(1.0)


def test_contrast_of_groups_is_that_of_their_means() -> None:
    def constant(extra: float) -> Difference:
        return of(stratum([1 + extra] * 6, [1.0] * 6))

    got = contrast([constant(0.5), constant(0.7)], [constant(0.1), constant(0.3)])
    assert (got.value, got.low, got.high) == pytest.approx((0.4, 0.4, 0.4))
