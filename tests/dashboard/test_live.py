"""The read model: what it shows is what reports say, and it stays small whatever a run does."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.dashboard import Arrivals, Device, Gauges, LiveRun
from glm_locust.dashboard.cells import MOST_PATHS, MOST_TASKS, QUANTILES, rounded
from glm_locust.dashboard.history import COARSE_POINTS, FINE_POINTS, History
from glm_locust.dashboard.labels import MOST_CHARS, OTHER, Labels
from glm_locust.dashboard.window import ENOUGH, MOST, REACH_S, WINDOW_S, Window
from glm_locust.metrics import METRICS, RELATIVE_ERROR_BOUND, Summary, enough_for
from glm_locust.records import Outcome, Phase, RequestRecord
from glm_locust.records.record import ErrorKind
from glm_locust.slo import Goodput, Objective, meets, parse

S = 1_000_000_000
STARTED_NS = 1_790_000_000 * S
LARGEST_BYTES = 400_000


def record(
    ttft_s: float = 0.2,
    *,
    path: str = "api",
    task: str = "ocr",
    phase: Phase = Phase.MEASURE,
    outcome: Outcome = Outcome.OK,
    kind: ErrorKind | None = None,
    tokens: int | None = 21,
) -> RequestRecord:
    first_ns = STARTED_NS + round(ttft_s * S)
    return RequestRecord(
        run_id="r",
        worker_id="w",
        seq=1,
        path=path,
        task=task,
        phase=phase,
        prompt_id="p",
        scheduled_ns=STARTED_NS,
        sent_ns=STARTED_NS,
        submitted_ns=STARTED_NS,
        first_token_ns=first_ns,
        first_output_ns=first_ns,
        last_output_ns=first_ns + S,
        finished_ns=first_ns + S,
        output_gaps_us=(500_000, 500_000),
        output_tokens=tokens,
        outcome=outcome,
        error_kind=kind,
    )


def at(seconds: float) -> int:
    return STARTED_NS + round(seconds * S)


def live(*slo: str) -> LiveRun:
    return LiveRun("r", STARTED_NS, slo, table_s=0)


def row_of(run: LiveRun, path: str, task: str | None) -> dict[str, object]:
    (found,) = (row for row in run.snapshot()["rows"] if (row["path"], row["task"]) == (path, task))
    return dict(found)


def test_a_path_is_its_tasks_together_and_within_the_bound_of_the_exact_quantiles() -> None:
    run, rng, values = live(), random.Random(1), []
    for number in range(400):
        values.append(rng.lognormvariate(-1, 0.5))
        run.take(record(values[-1], task=("ocr", "chart")[number % 2]), at(1))
    whole = row_of(run, "api", None)
    assert whole["n"] == 400
    assert whole["n"] == sum(row["n"] for row in run.snapshot()["rows"] if row["task"])
    exact = np.quantile(values, [0.5, 0.95, 0.99])
    assert whole["ttft_s"] == pytest.approx(exact, rel=RELATIVE_ERROR_BOUND + 1e-3)
    assert whole["tpot_s"] == pytest.approx([0.05, 0.05], rel=0.005)
    assert whole["itl_s"] == pytest.approx([0.5, 0.5], rel=0.005)


def slow_row(records: Sequence[RequestRecord], objective: Objective) -> dict[str, Any]:
    """What a row has to say, formula by formula and value by value."""
    measured = [one for one in records if one.phase is Phase.MEASURE]
    ok = [one for one in measured if one.outcome is Outcome.OK]
    failed = [one for one in measured if one.outcome is Outcome.FAILED]
    assert isinstance(objective.measure, Goodput)
    good = sum(meets(objective.measure.conditions, one) for one in (*ok, *failed))
    found = {
        "n": len(ok),
        "failed": len(failed),
        "cancelled": len(measured) - len(ok) - len(failed),
        "goodput": rounded(good / len([*ok, *failed])) if ok or failed else None,
    }
    for metric, qs in QUANTILES.items():
        summary = Summary(value for one in ok for value in METRICS[metric].formula(one))
        shown = [summary.quantile(q) if enough_for(q, summary.n) else None for q in qs]
        found[metric] = [rounded(value) for value in shown]
    return found


outcomes = st.sampled_from([Outcome.OK] * 8 + [Outcome.FAILED, Outcome.CANCELLED])
phases = st.sampled_from([Phase.MEASURE] * 9 + [Phase.WARMUP])
gaps = st.lists(st.integers(0, 10**7), max_size=30).map(tuple)
answers = st.builds(
    lambda ttft_s, path, task, phase, outcome, tokens, gaps_us: msgspec.structs.replace(
        record(ttft_s, path=path, task=task, phase=phase, outcome=outcome, tokens=tokens),
        output_gaps_us=gaps_us,
    ),
    st.floats(1e-3, 100),
    st.sampled_from(("api", "web")),
    st.sampled_from(("ocr", "chart", "reason")),
    phases,
    outcomes,
    st.none() | st.integers(0, 3000),
    gaps,
)


@given(st.lists(st.lists(answers, max_size=40), min_size=1, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_rows_say_what_all_formulas_say_of_all_records(
    batches: list[list[RequestRecord]], data: st.DataObject
) -> None:
    slo = "goodput(ttft < 3 s, itl < 2 s) > 90 %"
    run, taken = live(slo), list[RequestRecord]()
    for batch in batches:
        for one in batch:
            run.take(one, at(1))
        taken += batch
        for _ in range(data.draw(st.integers(0, 2))):
            run.snapshot()
    rows = {(row["path"], row["task"]): row for row in run.snapshot()["rows"]}
    kinds = {(one.path, one.task) for one in taken if one.phase is Phase.MEASURE}
    assert rows.keys() == kinds | {(path, None) for path, _ in kinds}
    for (path, task), row in rows.items():
        own = [one for one in taken if one.path == path and task in (None, one.task)]
        expected = slow_row(own, parse(slo))
        assert {key: row[key] for key in expected} == expected, (path, task)


def test_a_path_is_its_tasks_together_whatever_comes_between_two_pieces_of_the_table() -> None:
    run, rng = live(), random.Random(4)

    def some() -> None:
        for _ in range(25):
            run.take(record(rng.random(), path=rng.choice("ab"), task=rng.choice("xyz")), at(1))

    some()
    pieces = 0
    for _ in run.refresh():
        some()
        pieces += 1
    assert pieces == 8
    # What the table holds now was made in those pieces; it is shown because a new one is not due yet.
    run._table_s = 1e9
    rows = run.snapshot()["rows"]
    for path in "ab":
        own = [row for row in rows if row["path"] == path]
        assert own[0]["n"] == sum(row["n"] for row in own[1:])


def test_a_table_that_was_begun_before_the_end_does_not_replace_the_last_one() -> None:
    run = live()
    run.take(record(), at(1))
    before = run.refresh()
    next(before)
    run.take(record(), at(2))
    run.end()
    assert row_of(run, "api", "ocr")["n"] == 2
    for _ in before:
        pass
    assert row_of(run, "api", "ocr")["n"] == 2


def test_too_few_values_print_no_percentile() -> None:
    run = live()
    for _ in range(19):
        run.take(record(), at(1))
    assert row_of(run, "api", "ocr")["ttft_s"] == [pytest.approx(0.2, rel=0.005), None, None]
    run.take(record(), at(1))
    assert row_of(run, "api", "ocr")["ttft_s"] == [*[pytest.approx(0.2, rel=0.005)] * 2, None]


def test_failures_by_kind_and_cancelled_ones_beside_them() -> None:
    run = live()
    run.take(record(), at(1))
    for kind in (ErrorKind.TIMEOUT_STALL, ErrorKind.CONNECT, ErrorKind.CONNECT):
        run.take(record(outcome=Outcome.FAILED, kind=kind), at(1))
    run.take(record(outcome=Outcome.CANCELLED, kind=ErrorKind.RUN_ENDED), at(1))
    row = row_of(run, "api", "ocr")
    assert (row["n"], row["failed"], row["cancelled"]) == (1, 3, 1)
    assert row["failures"] == {"connect": 2, "timeout_stall": 1}
    assert run.snapshot()["counts"] == {"answered": 1, "failed": 3, "cancelled": 1, "warmup": 0}


def test_warm_up_is_counted_and_enters_nothing() -> None:
    run = live()
    run.take(record(9.0, phase=Phase.WARMUP), at(1))
    run.tick(at(2), Gauges())
    told = run.snapshot()
    assert (told["run"]["state"], told["counts"]["warmup"], told["rows"]) == ("warmup", 1, [])
    run.take(record(0.2), at(3))
    run.tick(at(4), Gauges())
    told = run.snapshot()
    assert told["run"]["state"] == "measure"
    assert row_of(run, "api", None)["n"] == 1
    assert told["points"]["ttft_p50_s/api"] == [None, pytest.approx(0.2)]


def test_goodput_is_the_share_of_requests_of_its_scope_that_met_all_conditions() -> None:
    run = live("ttft p95 < 9 s", "web: goodput(ttft < 300 ms, tpot < 60 ms) > 90 %")
    for ttft_s in (0.1, 0.2, 0.4):
        run.take(record(ttft_s, path="web"), at(1))
        run.take(record(ttft_s), at(1))
    run.take(record(path="web", outcome=Outcome.FAILED, kind=ErrorKind.EMPTY), at(1))
    run.take(record(path="web", outcome=Outcome.CANCELLED, kind=ErrorKind.RUN_ENDED), at(1))
    assert row_of(run, "web", None)["goodput"] == 0.5
    assert row_of(run, "api", None)["goodput"] is None
    assert run.snapshot()["run"]["goodput"] == ["web: goodput(ttft < 300 ms, tpot < 60 ms) > 90 %"]


def test_the_table_is_made_anew_every_other_second_and_at_the_end() -> None:
    run = LiveRun("r", STARTED_NS, table_s=2)
    for second in range(1, 5):
        run.take(record(), at(second))
        run.tick(at(second), Gauges())
        assert row_of(run, "api", "ocr")["n"] == (1, 1, 3, 3)[second - 1]
    run.end()
    assert row_of(run, "api", "ocr")["n"] == 4


def test_rates_are_those_of_the_last_ten_seconds() -> None:
    run = live()
    for second in range(30):
        if second < 20:
            for _ in range(3):
                run.take(record(tokens=50), at(second + 0.5))
        run.tick(at(second + 1), Gauges())
    points = run.snapshot()["points"]
    assert points["requests_per_s"][19] == pytest.approx(3, rel=0.01)
    assert points["tokens_per_s"][19] == pytest.approx(150, rel=0.01)
    assert points["requests_per_s"][-1] == 0


def test_a_reader_gets_each_point_once_and_all_of_them_when_it_is_new() -> None:
    run, seen, following = live(), [], 0
    for second in range(50):
        run.tick(at(second), Gauges(host_cpu_ratio=0.5))
        if second % 7 == 3:
            told = run.snapshot(following)
            seen += told["points"]["t"]
            following = told["next"]
    assert seen == [float(second) for second in range(46)]
    assert run.snapshot()["points"]["t"] == [float(second) for second in range(50)]
    assert run.snapshot(10_000)["points"]["t"][0] == 0, "a number of another run"
    assert run.snapshot(50)["points"] == {}


def test_gauges_stand_with_path_task_and_device() -> None:
    run = live()
    run.take(record(), at(1))
    in_flight = Counter({("api", "ocr"): 2, ("api", "chart"): 1, ("web", "ocr"): 4})
    device = Device("GPU 0", {"busy": 0.93, "sm_clock": 1.98e9}, "A GPU")
    run.tick(at(2), Gauges(in_flight=in_flight, worker_cpu_ratio=0.25, devices=(device,)))
    told = run.snapshot()
    assert told["in_flight"] == 7
    assert row_of(run, "api", None)["in_flight"] == 3
    assert row_of(run, "api", "ocr")["in_flight"] == 2
    assert told["points"]["in_flight/web"] == [4]
    assert told["points"]["busy/GPU 0"] == [0.93]
    assert told["points"]["worker_cpu_ratio"] == [0.25]
    (shown,) = told["devices"]
    assert shown == {"name": "GPU 0", "model": "A GPU", "readings": {"busy": 0.93, "sm_clock": 1.98e9}}


def test_nothing_makes_it_large() -> None:
    run, rng = live(), random.Random(2)
    devices = tuple(
        Device(f"GPU {number} {'x' * 200}", {"busy": rng.random(), "memory_used": rng.random() * 8e10})
        for number in range(40)
    )
    for second in range(4000):
        if second % 10 == 0:
            word = f"{second} " + "y" * 5000
            run.take(record(rng.random(), path=word, task=word), at(second))
        run.tick(at(second + 1), Gauges(in_flight={("api", str(second)): 3}, devices=devices))
    told = run.snapshot()
    assert len(told["rows"]) <= (MOST_PATHS + 1) * (MOST_TASKS + 2)
    assert len({row["path"] for row in told["rows"]}) == MOST_PATHS + 1
    assert sum(row["n"] for row in told["rows"] if row["task"] is None) == 400
    assert len(told["points"]["t"]) <= FINE_POINTS + COARSE_POINTS
    assert len(told["points"]) < 100
    fresh = run.snapshot(told["next"] - 1)
    assert len(fresh["points"]["t"]) == 1
    assert len(msgspec.json.encode(fresh)) < LARGEST_BYTES / 4


def test_an_ordinary_run_of_hours_is_a_small_document() -> None:
    run, rng = live(), random.Random(3)
    for second in range(20_000):
        if second % 10 == 0:
            run.take(record(rng.random(), path=rng.choice(("api", "web"))), at(second))
        run.tick(at(second + 1), Gauges(in_flight={("api", "ocr"): 3}, host_cpu_ratio=rng.random()))
    document = msgspec.json.encode(run.snapshot())
    assert len(document) < LARGEST_BYTES
    assert len(msgspec.json.encode(run.snapshot(run.snapshot()["next"] - 1))) < 4000


def test_old_points_are_thinned_evenly_and_new_ones_are_all_there() -> None:
    history = History()
    for number in range(1, 30_001):
        history.add({"t": number})
    times = history.since(0)["t"]
    assert times == sorted(set(times))
    assert times[-FINE_POINTS:] == list(range(30_001 - FINE_POINTS, 30_001))
    steps = set(np.diff(times[: -FINE_POINTS - 1]))
    assert len(steps) == 1
    assert times[0] <= 2 * steps.pop()


def test_labels_are_bounded_in_number_and_length() -> None:
    labels = Labels(3)
    assert [labels(name) for name in "abcda"] == ["a", "b", "c", OTHER, "a"]
    assert len(Labels(1)("x" * 500)) == MOST_CHARS


def test_a_window_holds_ten_seconds_or_the_newest_twenty_of_a_minute() -> None:
    window = Window()
    assert window.quantiles((0.5,), 0) == (None,)
    for second in range(ENOUGH + 5):
        window.add(second, second)
    now_s = ENOUGH + 4.0
    assert window.quantiles((0.5,), now_s) == (now_s - (ENOUGH - 1) / 2,)
    for _ in range(100):
        window.add(now_s, 7)
    later_s = now_s + WINDOW_S
    assert window.quantiles((0.5, 0.95), later_s) == (7, 7)
    assert window.quantiles((0.5,), later_s + REACH_S) == (None,)
    for _ in range(3 * MOST):
        window.add(later_s, 1)
    assert window.quantiles((0.5,), later_s) == (1,)


def test_arrivals_of_an_open_loop() -> None:
    run = LiveRun("r", STARTED_NS)
    run.tick(at(1), Gauges())
    assert run.snapshot()["arrivals"] is None
    for second in range(2, 60):
        run.tick(at(second), Gauges(arrivals=Arrivals(started=12 * second, dropped=second // 10, rate=12.5)))
    assert run.snapshot()["arrivals"] == {
        "started": 708,
        "dropped": 5,
        "started_per_s": 12,
        "due_per_s": 12.5,
    }
