"""Objectives: what may be written, where a mistake is shown, and what records make of them."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.errors import ConfigError
from glm_locust.metrics import METRICS, SMALLEST_N, enough_for
from glm_locust.records import ErrorKind, LagKind, Outcome, Phase, RequestRecord
from glm_locust.slo import (
    Comparison,
    Condition,
    FailureShare,
    Goodput,
    Judge,
    MetricStatistic,
    Objective,
    Reason,
    Ruling,
    Scope,
    Verdict,
    overall,
    parse,
)

MS = 1_000_000
S = 1000 * MS
START_NS = 1_752_480_000 * S

WRITTEN: list[tuple[str, str, Objective]] = [
    (
        "a metric may be named without its unit",
        "ttft p95 < 2 s",
        Objective("", Scope(), MetricStatistic("ttft_s", "p95", 0.95), Comparison.BELOW, 2.0),
    ),
    (
        "or with it, in ms, without spaces",
        "ttft_s p50<=800ms",
        Objective("", Scope(), MetricStatistic("ttft_s", "p50", 0.5), Comparison.AT_MOST, 0.8),
    ),
    (
        "a path before the colon",
        "web: ttft p99.9 < 3 s",
        Objective("", Scope("web"), MetricStatistic("ttft_s", "p99.9", 0.999), Comparison.BELOW, 3.0),
    ),
    (
        "path, task and level",
        "web-jupyter/ocr@8: e2e median < 1 min",
        Objective(
            "",
            Scope("web-jupyter", "ocr", 8),
            MetricStatistic("e2e_s", "median", 0.5),
            Comparison.BELOW,
            60.0,
        ),
    ),
    (
        "a task alone",
        "/ocr: itl max < 1 s",
        Objective("", Scope(None, "ocr"), MetricStatistic("itl_s", "max", 1.0), Comparison.BELOW, 1.0),
    ),
    (
        "failures are a share",
        "failures < 1 %",
        Objective("", Scope(), FailureShare(), Comparison.BELOW, 0.01),
    ),
    (
        "none at all",
        "failures <= 0%",
        Objective("", Scope(), FailureShare(), Comparison.AT_MOST, 0.0),
    ),
    (
        "goodput joins conditions",
        "goodput(ttft < 2 s, tpot < 60 ms) > 95 %",
        Objective(
            "",
            Scope(),
            Goodput(
                (
                    Condition("ttft_s", Comparison.BELOW, 2.0),
                    Condition("tpot_s", Comparison.BELOW, 0.06),
                )
            ),
            Comparison.ABOVE,
            0.95,
        ),
    ),
    (
        "goodput as a rate",
        "goodput(e2e < 10 s) >= 1.5 requests/s",
        Objective(
            "",
            Scope(),
            Goodput((Condition("e2e_s", Comparison.BELOW, 10.0),), per_second=True),
            Comparison.AT_LEAST,
            1.5,
        ),
    ),
    (
        "windows",
        "ttft p95 ≤ 2 s over 30 s",
        Objective("", Scope(), MetricStatistic("ttft_s", "p95", 0.95), Comparison.AT_MOST, 2.0, 30.0),
    ),
    (
        "tokens per second are better when higher",
        "output_tokens_per_s mean > 20 tokens/s",
        Objective("", Scope(), MetricStatistic("output_tokens_per_s", "mean", None), Comparison.ABOVE, 20.0),
    ),
    (
        "a ratio has no unit",
        "image_bytes_ratio p50 < 1.5",
        Objective("", Scope(), MetricStatistic("image_bytes_ratio", "p50", 0.5), Comparison.BELOW, 1.5),
    ),
    (
        "a task may have a Chinese name",
        "/图表: ttft mean < 2 s",
        Objective("", Scope(None, "图表"), MetricStatistic("ttft_s", "mean", None), Comparison.BELOW, 2.0),
    ),
]


@pytest.mark.parametrize(("text", "expected"), [w[1:] for w in WRITTEN], ids=[w[0] for w in WRITTEN])
def test_what_may_be_written(text: str, expected: Objective) -> None:
    found = parse(text)
    assert found.limit == pytest.approx(expected.limit)
    assert found == Objective(
        text, expected.scope, expected.measure, expected.comparison, found.limit, expected.window_s
    )


MISTAKES: list[tuple[str, str, str, str]] = [
    # sentence, text, what stands under the text ("^" at the place), what the message says
    ("nothing", "", "^", "expected a metric, failures or goodput"),
    ("a metric misspelt", "tfft p95 < 2 s", "^", "no metric is called tfft, did you mean ttft?"),
    ("a metric like no other", "zzz p95 < 2 s", "^", "metrics are failures, goodput, ttft"),
    ("no statistic", "ttft < 2 s", "     ^", "expected a statistic of ttft: p50"),
    ("an unknown statistic", "ttft p950 < 2 s", "     ^", "did you mean p95?"),
    ("p0 is the minimum", "ttft p0 < 2 s", "     ^", "expected a statistic of ttft"),
    ("no comparison", "ttft p95 2 s", "         ^", "expected <, <=, > or >="),
    ("equality", "ttft p95 = 2 s", "         ^", "expected <, <=, > or >="),
    ("the wrong direction", "ttft p95 > 2 s", "         ^", "better when lower: expected < or <="),
    ("the other one", "output_tokens_per_s p50 < 2 tokens/s", "                        ^", "when higher"),
    ("no number", "ttft p95 < s", "           ^", "expected a number"),
    ("a negative number", "ttft p95 < -2 s", "           ^", "expected a number"),
    ("no unit", "ttft p95 < 2", "             ^", "expected a unit: s, ms, us or min"),
    (
        "a unit of something else",
        "ttft p95 < 2 tokens",
        "             ^",
        "expected a unit: s, ms, us or min",
    ),
    ("a unit misspelt", "ttft p95 < 2 mins", "             ^", "did you mean min?"),
    ("a share without %", "failures < 0.01", "                ^", "expected the unit %"),
    ("failures are few", "failures > 1 %", "         ^", "expected < or <="),
    ("no run can fail less than never", "failures < 0 %", "           ^", "no run can meet this share"),
    ("more than all", "goodput(ttft < 2 s) > 101 %", "                      ^", "at most 100 %"),
    ("goodput of nothing", "goodput > 95 %", "        ^", "expected an opening parenthesis"),
    ("no condition", "goodput() > 95 %", "        ^", "expected a metric"),
    ("a statistic within goodput", "goodput(ttft p95 < 2 s) > 95 %", "             ^", "judged by itself"),
    ("an open parenthesis", "goodput(ttft < 2 s > 95 %", "                   ^", "a comma or a closing"),
    ("goodput below", "goodput(ttft < 2 s) < 95 %", "                    ^", "expected > or >="),
    ("something more", "ttft p95 < 2 s please", "               ^", "expected nothing more, or over"),
    ("a window of nothing", "ttft p95 < 2 s over 0 s", "                    ^", "at least 1 s"),
    ("a window without a unit", "ttft p95 < 2 s over 30", "                       ^", "expected a unit"),
    ("an empty scope", ": ttft p95 < 2 s", "^", "expected a path before the colon"),
    ("too much of a scope", "web/ocr/a: ttft p95 < 2 s", "^", "expected a path before the colon"),
    ("a level that is none", "web@x: ttft p95 < 2 s", "^", "expected a path before the colon"),
    ("wide characters take two columns", "/图表: tfft p95 < 2 s", "       ^", "did you mean ttft?"),
]


@pytest.mark.parametrize(
    ("text", "under", "message"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_is_shown_by_a_caret(text: str, under: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    problem, shown, caret = str(error.value).split("\n")
    assert message in problem
    assert shown == f"  {text}"
    assert caret == f"  {under}"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_shown_with_its_mistake(text: str) -> None:
    said = mistake_in(text)
    assert said is None or (len(said.split("\n")) == 3 and said.endswith("^"))


def mistake_in(text: str) -> str | None:
    try:
        parse(text)
    except ConfigError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(
    metric=st.sampled_from([name for name, m in METRICS.items() if m.unit == "s"]),
    percentile=st.integers(1, 99),
    limit=st.decimals(0, 1000, places=3),
    unit=st.sampled_from([("s", 1.0), ("ms", 1e-3), ("min", 60.0)]),
)
def test_what_is_written_is_what_is_read(
    metric: str, percentile: int, limit: float, unit: tuple[str, float]
) -> None:
    found = parse(f"{metric} p{percentile} < {limit} {unit[0]}")
    assert found.measure == MetricStatistic(metric, f"p{percentile}", percentile / 100)
    assert found.limit == pytest.approx(float(limit) * unit[1])


NEEDED = [
    ("ttft p50 < 1 s", 2),
    ("ttft p90 < 1 s", 10),
    ("ttft p95 < 1 s", 20),
    ("ttft p99 < 1 s", 100),
    ("ttft p99.9 < 1 s", 1000),
    ("ttft mean < 1 s", 1),
    ("ttft max < 1 s", 1),
    ("failures < 1 %", 100),
    ("failures <= 0 %", 1),
    ("goodput(ttft < 1 s) > 95 %", 20),
    ("goodput(ttft < 1 s) >= 100 %", 1),
    ("goodput(ttft < 1 s) > 3 requests/s", 1),
]


@pytest.mark.parametrize(("text", "n"), NEEDED)
def test_how_many_values_an_objective_needs(text: str, n: int) -> None:
    assert parse(text).needed == n


@pytest.mark.parametrize("quantile", SMALLEST_N)
def test_what_reports_print_is_what_objectives_judge(quantile: float) -> None:
    needed = parse(f"ttft p{quantile * 100:g} < 1 s").needed
    assert enough_for(quantile, needed)
    assert not enough_for(quantile, needed - 1)


def record(
    ttft_ms: float = 100,
    *,
    at_s: float = 0.0,
    path: str = "api",
    task: str = "ocr",
    level: int | None = 1,
    phase: Phase = Phase.MEASURE,
    outcome: Outcome = Outcome.OK,
    send_lag_ms: float = 0,
    lag_us: int | None = None,
    output_tokens: int | None = 11,
    answer_ms: float = 500,
    gaps_us: tuple[int, ...] = (50_000,) * 10,
) -> RequestRecord:
    scheduled = START_NS + round(at_s * S)
    sent = scheduled + round(send_lag_ms * MS)
    # TTFT includes the send lag.
    first = scheduled + round(ttft_ms * MS)
    return RequestRecord(
        run_id="r",
        worker_id="w",
        seq=1,
        path=path,
        task=task,
        phase=phase,
        level=level,
        prompt_id="p",
        scheduled_ns=scheduled,
        sent_ns=sent,
        submitted_ns=sent,
        first_token_ns=first,
        first_output_ns=first,
        last_output_ns=first + round(answer_ms * MS),
        finished_ns=first + round(answer_ms * MS),
        first_token_lag_us=lag_us,
        lag_kind=LagKind.NONE if lag_us is None else LagKind.KERNEL,
        output_gaps_us=gaps_us,
        output_tokens=output_tokens,
        outcome=outcome,
        error_kind=None if outcome is Outcome.OK else ErrorKind.CONNECT,
    )


def failed(n: int = 1) -> list[RequestRecord]:
    return [record(outcome=Outcome.FAILED)] * n


def judged(text: str, records: list[RequestRecord]) -> Verdict:
    judge = Judge([parse(text)])
    for one in records:
        judge.hear(one)
    (verdict,) = judge.verdicts()
    return verdict


fast, slow = [record(100)] * 19, [record(3000)]

RULINGS: list[tuple[str, str, list[RequestRecord], Ruling, Reason | None, float | None]] = [
    ("met", "ttft p95 < 2 s", [record(100)] * 20, Ruling.PASS, None, 0.1),
    ("not met", "ttft p95 < 90 ms", [record(100)] * 20, Ruling.FAIL, None, 0.1),
    ("equal is not below", "ttft max < 100 ms", [record(100)], Ruling.FAIL, None, 0.1),
    ("equal is at most", "ttft max <= 100 ms", [record(100)], Ruling.PASS, None, 0.1),
    ("p95 of 19 names the largest", "ttft p95 < 2 s", fast, Ruling.INVALID, Reason.TOO_FEW, None),
    (
        "so it does where it would fail",
        "ttft p95 < 2 s",
        slow * 5,
        Ruling.INVALID,
        Reason.TOO_FEW,
        None,
    ),
    ("nothing was asked there", "web: ttft p50 < 2 s", fast, Ruling.INVALID, Reason.NO_REQUESTS, None),
    (
        "a scope takes its own",
        "web: ttft mean < 2 s",
        [*slow, record(100, path="web")],
        Ruling.PASS,
        None,
        0.1,
    ),
    ("a level takes its own", "@4: ttft mean < 2 s", [*slow, record(100, level=4)], Ruling.PASS, None, 0.1),
    (
        "warm-up counts nowhere",
        "ttft max < 2 s",
        [record(9000, phase=Phase.WARMUP), *fast],
        Ruling.PASS,
        None,
        0.1,
    ),
    ("what failed is in no time", "ttft max < 2 s", [*fast, *failed()], Ruling.PASS, None, 0.1),
    (
        "nothing counts tokens",
        "tpot mean < 60 ms",
        [record(output_tokens=None)] * 20,
        Ruling.INVALID,
        Reason.NOT_MEASURED,
        None,
    ),
    ("few failures", "failures < 1 %", [*[record()] * 200, *failed()], Ruling.PASS, None, 1 / 201),
    ("many failures", "failures < 1 %", [*[record()] * 50, *failed(2)], Ruling.FAIL, None, 2 / 52),
    ("none, but of too few", "failures < 1 %", [record()] * 99, Ruling.INVALID, Reason.TOO_FEW, 0.0),
    (
        "one request never decides a share",
        "failures < 1 %",
        [*[record()] * 50, *failed()],
        Ruling.INVALID,
        Reason.TOO_FEW,
        1 / 51,
    ),
    (
        "nor that of goodput",
        "goodput(ttft < 2 s) > 95 %",
        [*fast[:14], *slow],
        Ruling.INVALID,
        Reason.TOO_FEW,
        14 / 15,
    ),
    ("all failed: no need of more", "failures < 1 %", failed(3), Ruling.FAIL, None, 1.0),
    (
        "cancelled ones are no failures",
        "failures <= 0 %",
        [record(), record(outcome=Outcome.CANCELLED)],
        Ruling.PASS,
        None,
        0.0,
    ),
    ("good enough", "goodput(ttft < 2 s) >= 95 %", fast + slow, Ruling.PASS, None, 0.95),
    ("not good enough", "goodput(ttft < 2 s) > 95 %", fast + slow, Ruling.FAIL, None, 0.95),
    ("what failed is not good", "goodput(ttft < 2 s) > 95 %", fast + failed(), Ruling.FAIL, None, 0.95),
    (
        "every condition must hold",
        "goodput(ttft < 2 s, tpot < 40 ms) > 95 %",
        [record()] * 20,
        Ruling.FAIL,
        None,
        0.0,
    ),
    (
        "an answer of one token has nothing to wait for",
        "goodput(tpot < 60 ms) > 95 %",
        [*[record()] * 20, record(output_tokens=1)],
        Ruling.PASS,
        None,
        1.0,
    ),
    (
        "a path that never tells its tokens",
        "goodput(tpot < 60 ms) > 95 %",
        [*[record()] * 20, record(path="web", output_tokens=None)],
        Ruling.INVALID,
        Reason.NOT_MEASURED,
        None,
    ),
    (
        "every gap must hold",
        "goodput(itl < 60 ms) > 50 %",
        [record(gaps_us=(50_000, 70_000))] * 2,
        Ruling.FAIL,
        None,
        0.0,
    ),
    (
        "20 in 10 s",
        "goodput(ttft < 2 s) > 1.9 requests/s",
        [record(100, at_s=i * 9.4 / 19) for i in range(20)],
        Ruling.PASS,
        None,
        2.0,
    ),
    (
        "over the limit by the generator's lateness alone",
        "ttft mean < 2 s",
        [record(2100, send_lag_ms=200)],
        Ruling.INVALID,
        Reason.GENERATOR_LATE,
        2.1,
    ),
    (
        "over it without that too",
        "ttft mean < 2 s",
        [record(2100, send_lag_ms=50)],
        Ruling.FAIL,
        None,
        2.1,
    ),
    (
        "Python read late what the kernel had",
        "ttft mean < 2 s",
        [record(2001, lag_us=2000)],
        Ruling.INVALID,
        Reason.GENERATOR_LATE,
        2.001,
    ),
    (
        "goodput lost by lateness alone",
        "goodput(ttft < 2 s) >= 100 %",
        [record(2100, send_lag_ms=200)],
        Ruling.INVALID,
        Reason.GENERATOR_LATE,
        0.0,
    ),
]


@pytest.mark.parametrize(
    ("text", "records", "ruling", "reason", "measured"),
    [r[1:] for r in RULINGS],
    ids=[r[0] for r in RULINGS],
)
def test_rulings(
    text: str,
    records: list[RequestRecord],
    ruling: Ruling,
    reason: Reason | None,
    measured: float | None,
) -> None:
    verdict = judged(text, records)
    assert (verdict.ruling, verdict.reason) == (ruling, reason)
    assert verdict.measured == (None if measured is None else pytest.approx(measured))


def test_the_worst_window_is_judged() -> None:
    records = [record(3000 if 60 <= at < 90 else 100, at_s=at) for at in range(120)]
    assert judged("ttft p50 < 2 s", records).ruling is Ruling.PASS
    verdict = judged("ttft p50 < 2 s over 30 s", records)
    assert verdict.ruling is Ruling.FAIL
    assert verdict.measured == pytest.approx(3.0)
    assert verdict.n == 30
    assert verdict.windows is not None
    assert (verdict.windows.judged, verdict.windows.failed, verdict.windows.too_few) == (4, 1, 0)
    assert verdict.windows.worst_begins_s == 60


def test_windows_with_too_few_requests_are_not_judged() -> None:
    records = [record(100, at_s=at) for at in range(30)] + [record(9000, at_s=40)]
    verdict = judged("ttft p95 < 2 s over 30 s", records)
    assert verdict.ruling is Ruling.PASS
    assert verdict.windows is not None
    assert (verdict.windows.judged, verdict.windows.too_few) == (1, 1)


def test_no_window_with_enough_requests_is_no_verdict() -> None:
    verdict = judged("ttft p95 < 2 s over 5 s", [record(100, at_s=at) for at in range(30)])
    assert (verdict.ruling, verdict.reason, verdict.n) == (Ruling.INVALID, Reason.TOO_FEW, 5)


def test_windows_begin_with_the_run_not_with_the_scope() -> None:
    records = [record(at_s=0), *(record(at_s=at, path="web") for at in (25, 26, 31, 32))]
    verdict = judged("web: ttft p50 < 2 s over 30 s", records)
    assert verdict.windows is not None
    assert verdict.windows.judged == 2


def test_a_rate_is_not_asked_of_a_window_that_the_run_cut_short() -> None:
    records = [record(100, at_s=at / 2) for at in range(80)]  # 40 s at 2/s
    verdict = judged("goodput(ttft < 2 s) > 1.9 requests/s over 30 s", records)
    assert verdict.ruling is Ruling.PASS
    assert verdict.windows is not None
    assert verdict.windows.judged == 1


@settings(deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_records_does_not_matter(order: list[int]) -> None:
    records = [record(50 * i, at_s=i) for i in range(40)]
    text = "ttft p90 < 1 s over 10 s"
    assert judged(text, [records[i] for i in order]) == judged(text, records)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=20, max_size=60), st.integers(1, 99))
def test_quantiles_are_those_of_reports(times_ms: list[int], percentile: int) -> None:
    found = judged(f"ttft p{percentile} < 9 s", [record(ms) for ms in [*times_ms] * 5]).measured
    assert found == pytest.approx(np.quantile([ms / 1000 for ms in [*times_ms] * 5], percentile / 100))


@settings(deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=20, max_size=60), st.integers(1, 5000))
def test_a_looser_limit_is_never_harder_to_meet(times_ms: list[int], limit_ms: int) -> None:
    records = [record(ms) for ms in times_ms]
    strict = judged(f"ttft p95 < {limit_ms} ms", records).ruling
    loose = judged(f"ttft p95 < {limit_ms + 1} ms", records).ruling
    assert (strict, loose) != (Ruling.PASS, Ruling.FAIL)


def test_damaged_instants_do_not_break_the_judge() -> None:
    odd = msgspec.structs.replace(record(), scheduled_ns=-(2**70), finished_ns=2**70)
    for text in ("ttft p50 < 2 s over 30 s", "goodput(ttft < 2 s) > 1 requests/s over 30 s"):
        assert judged(text, [odd, record()]).ruling in Ruling


OVERALL = [
    ("all met", [Ruling.PASS, Ruling.PASS], Ruling.PASS),
    ("one not met", [Ruling.PASS, Ruling.FAIL], Ruling.FAIL),
    ("what cannot be told goes first", [Ruling.FAIL, Ruling.INVALID], Ruling.INVALID),
]


@pytest.mark.parametrize(("rulings", "expected"), [o[1:] for o in OVERALL], ids=[o[0] for o in OVERALL])
def test_overall(rulings: list[Ruling], expected: Ruling) -> None:
    objective = parse("failures < 1 %")
    assert overall(Verdict(objective, ruling, 0.0, 1) for ruling in rulings) is expected
    assert math.isclose(objective.limit, 0.01)
