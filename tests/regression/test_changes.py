"""What is called better and worse, on runs whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.regression import Change, Observations, Place, Verdict, changes
from glm_locust.regression.change import _fisher
from glm_locust.regression.observations import _resampled
from glm_locust.slo import FailureShare, MetricStatistic
from tests.regression.simulation import observed, records

TTFT = MetricStatistic("ttft_s", "p50", 0.5)
WHOLE = Place("api")
TTFT_P95 = MetricStatistic("ttft_s", "p95", 0.95)


def one(found: tuple[Change, ...], measure: object = TTFT, place: Place = WHOLE) -> Change:
    (change,) = [change for change in found if (change.measure, change.place) == (measure, place)]
    return change


def test_a_slower_engine_is_worse_everywhere() -> None:
    found = changes(observed(records(seed=1)), observed(records(seed=2, slower=0.2)))
    assert {change.verdict for change in found if change.measure != FailureShare()} == {Verdict.WORSE}
    change = one(found)
    assert change.relative is not None
    assert change.relative.low is not None
    assert change.relative.high is not None
    assert change.relative.low < 0.2 < change.relative.high
    assert (change.n_base, change.n_new) == (120, 120)


def test_a_faster_one_is_better() -> None:
    found = changes(observed(records(seed=1)), observed(records(seed=2, slower=-0.2)))
    assert one(found).verdict is Verdict.BETTER


def test_more_tokens_a_second_are_better() -> None:
    rate = MetricStatistic("output_tokens_per_s", "mean", None)
    runs = [Observations(["output_tokens_per_s"]) for _ in range(2)]
    for run, slower in zip(runs, (0.3, 0.0), strict=True):
        for record in records(seed=3, slower=slower):
            run.add(record)
    assert one(changes(*runs, [rate]), rate).verdict is Verdict.BETTER


def test_less_than_the_smallest_change_is_no_news() -> None:
    base, new = (
        observed(records(seed=seed, slower=slower, noise=0.001)) for seed, slower in ((1, 0), (2, 0.02))
    )
    change = one(changes(base, new))
    assert change.p is not None
    assert change.p < 1e-6
    assert change.verdict is Verdict.SAME
    assert one(changes(base, new, smallest_change=0.01)).verdict is Verdict.WORSE


def test_the_same_run_differs_in_nothing() -> None:
    run = observed(records(seed=1))
    found = changes(run, run)
    assert {change.verdict for change in found} == {Verdict.SAME}
    assert {change.difference.value for change in found} == {0.0}


def test_places_are_paths_tasks_and_levels() -> None:
    run = observed(*(records(seed=1, path=path, level=level) for path in ("api", "web") for level in (1, 4)))
    places = {change.place for change in changes(run, run, [TTFT]) if change.measure == TTFT}
    assert places == {
        Place(path, *rest)
        for path in ("api", "web")
        for rest in ((), ("ocr",), ("chart",), (None, 1), (None, 4))
    }


def test_of_p95_only_whole_paths_unless_asked() -> None:
    run = observed(records(seed=1))
    of_p95 = [c.place for c in changes(run, run, [TTFT_P95]) if c.measure == TTFT_P95]
    assert of_p95 == [Place("api")]
    ocr = Place("api", "ocr")
    asked = changes(run, run, [TTFT_P95], wanted=lambda measure, place: (measure, place) == (TTFT_P95, ocr))
    assert [c.place for c in asked if c.measure == TTFT_P95] == [Place("api"), ocr]


def test_only_what_both_runs_asked_is_compared() -> None:
    base = observed(records(seed=1, tasks=("ocr", "chart")), records(seed=1, path="web"))
    new = observed(records(seed=2, tasks=("ocr", "reason"), slower=1.0), records(seed=3, path="other"))
    found = [change for change in changes(base, new, [TTFT]) if change.measure == TTFT]
    assert [change.place for change in found] == [Place("api")]
    assert found[0].n_base == 60
    assert found[0].relative is not None
    assert found[0].relative.value == pytest.approx(1.0, abs=0.1)


def test_too_few_requests_have_no_interval() -> None:
    few = observed(records(seed=1, blocks=1, per_block=6))
    change = one(changes(few, few))
    assert (change.difference.low, change.p, change.verdict) == (None, None, Verdict.UNSURE)


def test_runs_without_blocks_are_cut_in_time() -> None:
    found = changes(
        observed(records(seed=1, blocks=None)), observed(records(seed=2, blocks=None, slower=0.2))
    )
    assert one(found).verdict is Verdict.WORSE


def test_what_a_block_has_in_common_widens_the_interval() -> None:
    widths = []
    for between in (0.0, 0.15):
        base, new = (observed(records(seed=seed, between_blocks=between)) for seed in (1, 2))
        interval = one(changes(base, new)).difference
        assert interval.low is not None
        assert interval.high is not None
        widths.append(interval.high - interval.low)
    assert widths[1] > 2 * widths[0]


def test_failures_are_compared_exactly() -> None:
    base, new = observed(records(seed=1)), observed(records(seed=2, failed=12))
    change = one(changes(base, new), FailureShare())
    assert change.verdict is Verdict.WORSE
    assert change.new == pytest.approx(12 / 132)
    assert change.difference.low is not None
    assert change.difference.low > 0
    few = one(changes(base, observed(records(seed=2, failed=1))), FailureShare())
    assert few.verdict is Verdict.SAME


def test_fishers_exact_test_is_that_of_the_tea() -> None:
    assert _fisher(3, 4, 1, 4) == pytest.approx(0.4857, abs=1e-4)
    assert _fisher(4, 4, 0, 4) == pytest.approx(2 / 70)
    assert _fisher(0, 50, 0, 50) == 1


@settings(deadline=None, max_examples=50)
@given(
    values=st.lists(st.floats(0, 100), min_size=4, max_size=40),
    quantile=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_a_resample_has_the_quantile_of_its_values(values: list[float], quantile: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = rng.integers(0, 4, len(values))
    weights = rng.multinomial(4, [0.25] * 4, size=5)
    for found, row in zip(_resampled(np.array(values), pieces, weights, quantile), weights, strict=True):
        drawn = [v for v, piece in zip(values, pieces, strict=True) for _ in range(row[piece])]
        expected = np.quantile(drawn, quantile) if drawn else np.nan
        assert found == pytest.approx(expected, nan_ok=True)


def test_all_changes_are_one_claim() -> None:
    """Of 30 pairs of the same, with blocks that differ, hardly any shows any difference at all."""
    runs = [observed(records(seed=100 + seed, blocks=8, between_blocks=0.1)) for seed in range(60)]
    shown = 0
    for base, new in zip(runs[::2], runs[1::2], strict=True):
        shown += any(c.verdict in (Verdict.BETTER, Verdict.WORSE) for c in changes(base, new))
    # 5 % of 30 is 1.5; six or more have a probability below 0.4 % then.
    assert shown <= 5
