"""Arrival processes in virtual time: the right distribution, and the same for any number of workers."""

import itertools
import math

import numpy as np
import pytest

from glm_locust.arrivals import Renewal, Share, Walk, instants_ns, parse, shares_of

COUNT = 10_000
SEED = "42"


def first(process: Renewal, count: int = COUNT, seed: str = SEED) -> list[int]:
    return list(itertools.islice(instants_ns(process)(seed), count))


def played(walk: Walk, until_index: int) -> list[tuple[int, int]]:
    """What a worker makes of the arrivals before this one."""
    found = []
    while (ahead := walk.peek()) is not None and ahead[0] < until_index:
        found.append(ahead)
        walk.take()
    return found


def of_workers(process: Renewal, workers: int, count: int = COUNT) -> list[list[tuple[int, int]]]:
    names = [f"w{number}" for number in range(workers)]

    def timetable():
        return instants_ns(process)(SEED)

    return [played(Walk(timetable, shares_of(name, [(0, names)])), count) for name in names]


def kolmogorov_smirnov(values: np.ndarray, cdf: np.ndarray) -> float:
    """The p-value of the sample against the distribution, by Kolmogorov's limit, exact enough here."""
    n = len(values)
    order = np.argsort(values)
    steps = np.arange(n + 1) / n
    distance = max(np.max(steps[1:] - cdf[order]), np.max(cdf[order] - steps[:-1]))
    x = distance * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))
    return float(min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))))


def test_ten_thousand_poisson_arrivals_over_two_workers():
    process = parse("poisson:12/s")
    both = sorted(itertools.chain(*of_workers(process, 2)))
    assert [index for index, _ in both] == list(range(COUNT))
    gaps = np.diff([0, *(instant for _, instant in both)]) * 1e-9
    assert kolmogorov_smirnov(gaps, 1 - np.exp(-12 * gaps)) > 0.001
    # Given their number, Poisson arrivals are uniform over the time: a drift would show here.
    instants = np.array([instant for _, instant in both], dtype=float)[:-1]
    assert kolmogorov_smirnov(instants, instants / both[-1][1]) > 0.001


def test_the_test_can_fail():
    gaps = np.diff([0, *first(parse("gamma:12/s,cv=1.1"))]) * 1e-9
    assert kolmogorov_smirnov(gaps, 1 - np.exp(-12 * gaps)) < 0.001


@pytest.mark.parametrize("cv", [0.0, 0.5, 2.0, 4.0])
def test_gaps_have_the_mean_and_the_variation(cv):
    gaps = np.diff([0, *first(parse(f"gamma:50/s,cv={cv}"), 40_000)]) * 1e-9
    assert gaps.mean() == pytest.approx(1 / 50, rel=4 * max(cv, 1e-9) / math.sqrt(40_000) + 1e-6)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.08, abs=1e-6)


def test_a_metronome_never_accumulates():
    assert first(parse("constant:3/s"), 30_000)[-1] == 10_000 * 10**9


@pytest.mark.parametrize(
    "text", ["poisson:12/s", "constant:7/s", "gamma:12/s,cv=3", "ramp:1/s..40/s,over=1m"]
)
def test_any_number_of_workers_makes_the_same_sequence(text):
    process = parse(text)
    whole = list(enumerate(first(process)))
    for workers in (1, 2, 3, 7):
        parts = of_workers(process, workers)
        assert sorted(itertools.chain(*parts)) == whole
        assert {len(part) for part in parts} <= {COUNT // workers, COUNT // workers + 1}


def test_another_seed_is_another_sequence():
    process = parse("poisson:12/s")
    assert first(process, 10) == first(process, 10)
    assert first(process, 10) != first(process, 10, "43")


@pytest.mark.parametrize("cv", [0, 1, 2])
def test_a_ramp_reaches_its_rates(cv):
    process = parse(f"ramp:10/s..50/s,over=200s,cv={cv}")
    instants = np.array(first(process, 20_000)) * 1e-9
    for begin, end, expected in ((0, 20, 12 * 20), (180, 200, 48 * 20), (200, 300, 50 * 100)):
        counted = np.count_nonzero((instants >= begin) & (instants < end))
        assert abs(counted - expected) <= 1 + 4.5 * max(cv, 0.01) * math.sqrt(expected)
    assert (process.rate_at(0), process.rate_at(100), process.rate_at(900)) == (10, 30, 50)


def test_a_ramp_goes_down_as_well():
    instants = np.array(first(parse("ramp:50/s..10/s,over=100s,cv=0"), 4000)) * 1e-9
    assert np.all(np.diff(instants) > 0)
    assert np.count_nonzero(instants < 100) == pytest.approx(3000, abs=1)
    assert np.diff(instants[3500:]) == pytest.approx(0.1)


def test_a_worker_that_leaves_and_one_that_comes():
    process = parse("poisson:12/s")

    def timetable():
        return instants_ns(process)(SEED)

    splits = [(0, ["a", "b", "c"])]
    walks = {name: Walk(timetable, shares_of(name, splits)) for name in "abc"}
    made = {name: played(walk, 1000) for name, walk in walks.items()}
    splits.append((1000, ["c", "a"]))  # b leaves
    for name in "abc":
        walks[name].deal(shares_of(name, splits))
        made[name] += played(walks[name], 2000)
    assert walks["b"].peek() is None
    splits.append((2000, ["a", "d", "c"]))  # d comes, and was never told of anything before
    walks["d"] = Walk(timetable, shares_of("d", splits))
    made["d"] = []
    for name in "abcd":
        walks[name].deal(shares_of(name, splits))
        made[name] += played(walks[name], 3000)
    splits.append((3000, ["b", "a"]))  # and b comes back
    for name in "abcd":
        walks[name].deal(shares_of(name, splits))
        made[name] += played(walks[name], 4000)
    assert sorted(itertools.chain(*made.values())) == list(enumerate(first(process, 4000)))


def test_a_split_that_is_told_of_late_leaves_no_gap():
    process = parse("constant:10/s")

    def timetable():
        return instants_ns(process)(SEED)

    walk = Walk(timetable, [Share(0, 0, 2)])
    early = played(walk, 100)
    walk.deal([Share(0, 0, 2), Share(60, 0, 1)])  # alone since 60, and at 100 already
    owed = played(walk, 110)
    assert [index for index, _ in early] == list(range(0, 100, 2))
    assert [index for index, _ in owed] == [*range(61, 100, 2), *range(100, 110)]


def test_a_finite_sequence_ends():
    walk = Walk(lambda: iter([5, 6, 7]), [Share(0, 1, 2)])
    assert played(walk, 99) == [(1, 6)]
    assert walk.peek() is None
    walk.deal([Share(0, 1, 2), Share(2, 0, 1)])
    assert walk.peek() == (2, 7)
