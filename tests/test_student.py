"""Student's t against the tables of the textbooks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.metrics.student import critical_value, two_sided_p

TABLE = [(1, 12.706), (2, 4.303), (4, 2.776), (8, 2.306), (18, 2.101), (30, 2.042), (1000, 1.962)]


@pytest.mark.parametrize(("df", "t"), TABLE)
def test_the_table_of_95_percent(df: int, t: float) -> None:
    assert critical_value(0.95, df) == pytest.approx(t, abs=6e-4)
    assert two_sided_p(t, df) == pytest.approx(0.05, abs=1e-4)


def test_the_middle_and_the_ends() -> None:
    assert two_sided_p(0, 5) == 1
    assert two_sided_p(float("inf"), 5) == 0
    assert two_sided_p(-2.5, 7) == two_sided_p(2.5, 7)
    assert two_sided_p(30, 8) == pytest.approx(1.66e-9, rel=0.02)


@settings(deadline=None)
@given(st.floats(0.001, 50), st.floats(0.5, 500))
def test_farther_out_is_rarer(t: float, df: float) -> None:
    assert 0 <= two_sided_p(t * 1.1, df) <= two_sided_p(t, df) <= 1
