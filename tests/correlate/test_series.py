"""Window means of a step function, its holes, its circular shift; clock offsets and their bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.correlate.offset import OffsetLine
from glm_locust.correlate.probes import Probe, offset_of
from glm_locust.correlate.series import Series


def test_a_sample_speaks_for_the_period_before_it() -> None:
    series = Series([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    mean, coverage = series.mean([0.0, 0.5, 1.5, 2.9], [1.0, 1.5, 3.0, 3.1])
    assert mean == pytest.approx([10.0, 15.0, (0.5 * 20 + 30) / 1.5, 30.0])
    assert coverage == pytest.approx([1.0, 1.0, 1.0, 0.5])


def test_a_hole_is_unknown_and_not_held() -> None:
    series = Series([1, 2, 3, 13, 14], [1.0, 1.0, 1.0, 9.0, 9.0])
    mean, coverage = series.mean([3.0, 2.0, 4.0], [13.0, 13.5, 11.0])
    assert mean[0] == pytest.approx(9.0)
    assert coverage[0] == pytest.approx(0.1), "one period of ten seconds"
    assert mean[1] == pytest.approx((1 * 1 + 1.5 * 9) / 2.5)
    assert np.isnan(mean[2])
    assert coverage[2] == 0


def test_maximum_of_a_window_counts_the_samples_that_speak_for_it() -> None:
    series = Series([1, 2, 3, 4], [1.0, 7.0, 3.0, 9.0])
    found = series.windows([0.2, 1.1, 2.2], [0.8, 2.5, 2.9])
    assert found.maximum == pytest.approx([1.0, 7.0, 3.0])


def test_order_and_duplicates_do_not_matter() -> None:
    a = Series([3, 1, 2, 2], [30.0, 10.0, 20.0, 99.0])
    b = Series([1, 2, 3], [10.0, 20.0, 30.0])
    assert a.mean([0.3], [2.7])[0] == pytest.approx(b.mean([0.3], [2.7])[0])


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=20, max_size=60),
    st.floats(0.0, 1.0),
    st.floats(0.01, 5.0),
    st.floats(0.1, 200.0),
)
def test_a_shifted_window_is_the_window_of_the_rolled_series(
    values: list[float], start: float, length: float, shift: float
) -> None:
    series = Series(np.arange(1, len(values) + 1), values)
    twice = Series(np.arange(1, 2 * len(values) + 1), values * 2)
    begin = start * len(values)
    moved = (begin + shift) % len(values)
    expected = twice.mean([moved], [moved + length])[0][0]
    assert series.mean([begin], [begin + length], shift)[0][0] == pytest.approx(expected, abs=1e-6)


@given(
    st.integers(-(10**12), 10**12),
    st.lists(
        st.tuples(st.integers(1, 10**8), st.integers(0, 10**7), st.integers(1, 10**8)),
        min_size=1,
        max_size=20,
    ),
)
def test_the_true_offset_is_never_outside_the_bound(truth: int, ways: list[tuple[int, int, int]]) -> None:
    probes, now = [], 10**15
    for there, work, back in ways:
        probes.append(Probe(now, now + there + truth, now + there + work + truth, now + there + work + back))
        now += 10**9
    found = offset_of(probes)
    assert abs(found.offset_ns - truth) <= found.bound_ns + 1
    assert not found.stepped


def test_a_stepped_clock_is_noticed() -> None:
    probes = [Probe(0, 1_000, 1_000, 2_000), Probe(10_000, 5_000_000, 5_000_000, 12_000)]
    assert offset_of(probes).stepped


def test_the_offset_is_linear_between_rounds() -> None:
    first = offset_of([Probe(0, 1_000_000, 1_000_000, 2_000_000)])
    second = offset_of(
        [Probe(60 * 10**9, 60 * 10**9 + 7_000_000, 60 * 10**9 + 7_000_000, 60 * 10**9 + 2_000_000)]
    )
    line = OffsetLine([second, first])
    middle = line.to_near_ns([30 * 10**9 + 1_000_000 + 3_000_000])[0]
    assert middle == pytest.approx(30 * 10**9 + 1_000_000, abs=2_000)
    assert line.bound_s == pytest.approx(0.001)
