"""Conditions: what may be written, where a mistake is shown, and when one has come true."""

import pytest

from glm_locust.errors import ConfigError
from glm_locust.records import RunHeader
from glm_locust.regression import changes, different_workloads, parse_condition
from glm_locust.slo import Comparison, FailureShare, MetricStatistic, Ruling, Scope
from tests.regression.simulation import observed, records

WRITTEN = [
    ("ttft p95 > +10 %", Scope(), MetricStatistic("ttft_s", "p95", 0.95), Comparison.ABOVE, 0.1, True),
    (
        "web/ocr: e2e p50 >= 200 ms",
        Scope("web", "ocr"),
        MetricStatistic("e2e_s", "p50", 0.5),
        Comparison.AT_LEAST,
        0.2,
        False,
    ),
    ("failures > +1 %", Scope(), FailureShare(), Comparison.ABOVE, 0.01, False),
    (
        "output_tokens_per_s mean < -5 %",
        Scope(),
        MetricStatistic("output_tokens_per_s", "mean", None),
        Comparison.BELOW,
        -0.05,
        True,
    ),
    (
        "@8: tpot p50 > 0 %",
        Scope(level=8),
        MetricStatistic("tpot_s", "p50", 0.5),
        Comparison.ABOVE,
        0.0,
        True,
    ),
]


@pytest.mark.parametrize(("text", "scope", "measure", "comparison", "limit", "relative"), WRITTEN)
def test_what_may_be_written(
    text: str, scope: Scope, measure: object, comparison: Comparison, limit: float, relative: bool
) -> None:
    found = parse_condition(text)
    assert (found.text, found.scope, found.measure) == (text, scope, measure)
    assert (found.comparison, found.relative) == (comparison, relative)
    assert found.limit == pytest.approx(limit)


MISTAKES = [
    ("", "^", "expected a metric or failures"),
    ("tfft p95 > +10 %", "^", "did you mean ttft?"),
    ("ttft > +10 %", "     ^", "expected a statistic of ttft"),
    ("ttft p95 < +10 %", "         ^", "worse is more of it here: expected > +"),
    ("ttft p95 > -10 %", "         ^", "worse is more of it here: expected > +"),
    (
        "output_tokens_per_s p50 > +10 %",
        "                        ^",
        "worse is less of it here: expected < -",
    ),
    ("output_tokens p50 > +10 %", "^", "more output_tokens is neither better nor worse"),
    ("ttft p95 > +10", "               ^", "expected a unit: %, s, ms"),
    ("ttft p95 > +10 % over 30 s", "                 ^", "expected nothing more"),
    ("failures > 10 s", "              ^", "expected the unit %"),
]


@pytest.mark.parametrize(("text", "under", "message"), MISTAKES)
def test_a_mistake_is_shown_by_a_caret(text: str, under: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_condition(text)
    problem, shown, caret = str(error.value).split("\n")
    assert message in problem
    assert shown == f"  {text}"
    assert caret == f"  {under}"


RULINGS = [
    ("beyond the limit, and shown", "ttft p50 > +10 %", {"slower": 0.3}, Ruling.FAIL),
    ("within it", "ttft p50 > +50 %", {"slower": 0.3}, Ruling.PASS),
    ("better", "ttft p50 > +10 %", {"slower": -0.3}, Ruling.PASS),
    ("in ms", "ttft p50 > +30 ms", {"slower": 0.3}, Ruling.FAIL),
    ("of one task", "api/ocr: ttft p50 > +10 %", {"slower": 0.3}, Ruling.FAIL),
    ("of a path that was not measured", "web: ttft p50 > +10 %", {"slower": 0.3}, Ruling.INVALID),
    ("p99 of too few", "ttft p99 > +10 %", {"slower": 0.3, "blocks": 6}, Ruling.INVALID),
    ("beyond it by chance", "ttft p50 > +1 %", {"slower": 0.04, "noise": 0.5}, Ruling.INVALID),
    ("failures", "failures > +1 %", {"failed": 12}, Ruling.FAIL),
    ("failures by chance", "failures > +0 %", {"failed": 1}, Ruling.INVALID),
    ("no failures", "failures > +1 %", {}, Ruling.PASS),
]


@pytest.mark.parametrize(("text", "how", "ruling"), [r[1:] for r in RULINGS], ids=[r[0] for r in RULINGS])
def test_rulings(text: str, how: dict[str, float], ruling: Ruling) -> None:
    condition = parse_condition(text)
    base, new = observed(records(seed=1)), observed(records(seed=3, **how))  # type: ignore[arg-type]
    measures = [condition.measure]
    assert condition.ruling(changes(base, new, measures, wanted=condition.concerns))[0] is ruling


def header(**workload: object) -> RunHeader:
    return RunHeader(run_id="r", started_ns=0, command=(), workload=workload)


def test_workloads_differ_by_what_is_asked_not_by_how_often() -> None:
    base = header(tasks=["ocr"], levels=[1], repeats=10, warmup=1)
    assert different_workloads(base, header(tasks=["ocr"], levels=[1], repeats=20, warmup=2)) == ()
    assert different_workloads(base, header(tasks=["ocr"], levels=[1, 4])) == ("levels: [1], [1 4]",)
    assert different_workloads(header(), header(dataset="q.jsonl")) == ("dataset: none, q.jsonl",)


def test_the_longest_answer_is_part_of_the_workload_and_the_model_is_not() -> None:
    base, new = (
        RunHeader(run_id="r", started_ns=0, command=(), targets={"api": target})
        for target in ({"model": "a", "url": "x"}, {"model": "b", "url": "y", "max_tokens": 9})
    )
    assert different_workloads(base, new) == ("api max_tokens: none, 9",)
