"""The page of a run, as prometheus-client's own parsers read it."""

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from glm_locust.exposition import FAMILIES, Format, RunGauges, RunPage, RunTally, negotiated
from glm_locust.exposition.families import MOST_PATHS, MOST_TASKS, MOST_WORKERS, OTHER
from glm_locust.metrics import METRICS
from glm_locust.records import ErrorKind, Outcome, Phase, RequestRecord, RunHeader
from glm_locust.run import Run
from glm_locust.transport.messages import ArrivalCounts, Hello, InFlight, Pulse

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
OPENMETRICS_ACCEPT = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def record(seq: int = 1, **said: Any) -> RequestRecord:
    told = {
        "run_id": "r",
        "worker_id": "w",
        "seq": seq,
        "path": "api",
        "task": "ocr",
        "phase": Phase.MEASURE,
        "prompt_id": "p",
        "scheduled_ns": START,
        "sent_ns": START,
        "submitted_ns": START,
        "first_token_ns": START + SECOND // 2,
        "last_output_ns": START + SECOND,
        "finished_ns": START + SECOND,
        "output_gaps_us": (250_000, 250_000),
        "prompt_tokens": 100,
        "output_tokens": 3,
        "outcome": Outcome.OK,
    }
    return RequestRecord(**{**told, **said})


class Rig:
    def __init__(self, directory: Path) -> None:
        header = RunHeader(
            run_id="r",
            started_ns=START,
            command=(),
            seed=7,
            versions={"glm-locust": "1"},
            workload={"design": "mixed"},
        )
        self.run = Run(header, directory / "r")
        self.tally = RunTally()
        self.page = RunPage(self.tally)
        self.gauges = RunGauges(self.run)

    def text(self, form: Format = Format.TEXT, at_ns: int = START) -> str:
        return self.page.text(form, self.gauges.values(at_ns))

    def samples(self, at_ns: int = START) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        families = list(read_text(self.text(at_ns=at_ns)))
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, /, **labels: str) -> float | None:
        return self.samples().get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_histograms_count_each_value_in_its_bucket(rig: Rig) -> None:
    values_ms = (1, 5, 6, 300, 999, 1000, 1001, 70_000)
    for seq, ttft_ms in enumerate(values_ms, 1):
        rig.tally.accept(
            record(seq, first_token_ns=START + ttft_ms * 1_000_000, finished_ns=START + 70 * SECOND)
        )
    own = {"path": "api", "task": "ocr"}
    for bound in FAMILIES["glm_ttft_seconds"].bounds_s:
        expected = sum(ms <= bound * 1000 for ms in values_ms)
        assert rig.value("glm_ttft_seconds_bucket", **own, le=repr(bound)) == expected, bound
    assert rig.value("glm_ttft_seconds_bucket", **own, le="+Inf") == len(values_ms)
    assert rig.value("glm_ttft_seconds_count", **own) == len(values_ms)
    assert rig.value("glm_ttft_seconds_sum", **own) == pytest.approx(sum(values_ms) / 1000)


def test_gaps_are_counted_like_single_values_however_many(rig: Rig) -> None:
    chance = random.Random(1)
    gaps = [chance.choice((500, 1000, 1001, 9_999, 20_000, 2_000_000)) for _ in range(30_000)]
    for seq in range(300):
        rig.tally.accept(record(seq + 1, output_gaps_us=tuple(gaps[seq * 100 : seq * 100 + 100])))
        if seq == 70:
            rig.text()
    for bound in FAMILIES["glm_itl_seconds"].bounds_s:
        expected = sum(gap <= round(bound * 1e6) for gap in gaps)
        assert rig.value("glm_itl_seconds_bucket", path="api", task="ocr", le=repr(bound)) == expected
    assert rig.value("glm_itl_seconds_count", path="api", task="ocr") == len(gaps)
    assert rig.value("glm_itl_seconds_sum", path="api", task="ocr") == pytest.approx(sum(gaps) * 1e-6)


def test_what_is_told_of_a_path_and_task_is_of_one_instant_whatever_comes_between_two_pieces(
    rig: Rig,
) -> None:
    tasks = ("ocr", "chart", "reason")
    for task in tasks:
        rig.tally.accept(record(task=task))
    pieces = []
    for seq, piece in enumerate(rig.page.pieces(Format.TEXT, rig.gauges.values(START))):
        pieces.append(piece)
        for task in tasks:
            rig.tally.accept(record(seq, task=task))
    found = {
        (sample.name, sample.labels.get("task")): sample.value
        for family in read_text("".join(pieces))
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }
    for number, task in enumerate(tasks, 1):
        assert found["glm_requests_total", task] == number
        assert found["glm_ttft_seconds_count", task] == number
        assert found["glm_itl_seconds_count", task] == 2 * number
        assert found["glm_output_tokens_total", task] == 3 * number


def test_values_are_those_of_the_metrics(rig: Rig) -> None:
    one = record(scheduled_ns=START - SECOND // 4)
    rig.tally.accept(one)
    for family in FAMILIES.values():
        if family.metric is not None:
            assert METRICS[family.metric.name] is family.metric
            total = rig.value(f"{family.name}_sum", path="api", task="ocr")
            assert total == pytest.approx(sum(family.metric.formula(one))), family.name


def test_only_measured_requests_count_and_only_good_ones_enter_histograms(rig: Rig) -> None:
    rig.tally.accept(record(1))
    rig.tally.accept(record(2, phase=Phase.WARMUP))
    rig.tally.accept(record(3, phase=Phase.DRAIN))
    rig.tally.accept(record(4, outcome=Outcome.FAILED, error_kind=ErrorKind.TRUNCATED))
    rig.tally.accept(record(5, outcome=Outcome.CANCELLED, error_kind=ErrorKind.RUN_ENDED))
    own = {"path": "api", "task": "ocr"}
    assert rig.value("glm_ttft_seconds_count", **own) == 1
    assert rig.value("glm_output_tokens_total", **own) == 3
    assert rig.value("glm_prompt_tokens_total", **own) == 100
    assert [rig.value("glm_requests_total", **own, outcome=o) for o in ("ok", "failed", "cancelled")] == [
        1,
        1,
        1,
    ]
    assert rig.value("glm_errors_total", **own, error_kind="truncated") == 1


def test_a_page_in_openmetrics_has_exemplars_and_the_same_numbers(rig: Rig) -> None:
    rig.tally.accept(record(41))
    rig.tally.accept(record(42))
    text = rig.text(Format.OPENMETRICS)
    families = {family.name: family for family in read_openmetrics(text)}
    assert set(families) == {
        family.name.removesuffix("_total")
        for family in FAMILIES.values()
        if family.name in rig.text() and family.name != "glm_errors_total"
    }
    buckets = {s.labels["le"]: s for s in families["glm_ttft_seconds"].samples if s.name.endswith("_bucket")}
    newest = buckets["0.5"].exemplar
    assert newest is not None
    assert (newest.labels, newest.value) == ({"request_id": "w/42"}, 0.5)
    assert float(newest.timestamp) == START / SECOND + 1
    assert buckets["0.75"].exemplar is None
    assert " # {" not in rig.text(Format.TEXT)


def test_an_exemplar_that_is_too_long_is_left_out(rig: Rig) -> None:
    rig.tally.accept(record(worker_id="w" * 130))
    assert list(read_openmetrics(rig.text(Format.OPENMETRICS)))
    assert " # {" not in rig.text(Format.OPENMETRICS)


def test_label_values_are_escaped(rig: Rig) -> None:
    nasty = 'a"b\\c\nd{e="f"} 1'
    rig.tally.accept(record(task=nasty))
    assert rig.value("glm_ttft_seconds_count", path="api", task=nasty) == 1
    tasks = {
        sample.labels["task"]
        for family in read_openmetrics(rig.text(Format.OPENMETRICS))
        for sample in family.samples
        if "task" in sample.labels
    }
    assert tasks == {nasty}


def test_label_sets_are_bounded(rig: Rig) -> None:
    for number in range(200):
        rig.tally.accept(record(task=f"t{number}", path=f"p{number % 50}"))
        worker = f"w{number:03}"
        rig.run.join(worker, Hello(run_id="r"))
        pulse = Pulse(
            run_id="r",
            in_flight=(InFlight(path=f"p{number}", task=f"t{number}", count=1),),
            cpu_ratio=number / 1000,
        )
        rig.run.feel(worker, pulse, START)
    labels = [dict(labels) for _, labels in rig.samples()]
    for label, most in (("task", MOST_TASKS), ("path", MOST_PATHS), ("worker", MOST_WORKERS)):
        values = {found[label] for found in labels if label in found}
        assert OTHER in values
        assert len(values) == most + 1
    assert sum(v for (name, _), v in rig.samples().items() if name == "glm_requests_total") == 200
    assert sum(v for (name, _), v in rig.samples().items() if name == "glm_in_flight") == 200
    assert rig.value("glm_generator_cpu_ratio", worker=OTHER) == 0.199


def test_gauges_follow_the_workers(rig: Rig) -> None:
    for worker in ("w1", "w2"):
        rig.run.join(worker, Hello(run_id="r"))
    pulse = Pulse(
        run_id="r",
        in_flight=(
            InFlight(path="api", task="ocr", count=2),
            InFlight(path="api", task="chart", count=1),
            InFlight(path="web", task="ocr", count=4),
        ),
        send_lag_s=0.001,
        generator_lag_s=0.0002,
        cpu_ratio=0.5,
    )
    rig.run.feel("w1", pulse, START)
    rig.run.feel("w2", Pulse(run_id="r", in_flight=pulse.in_flight[:1]), START)
    assert rig.value("glm_in_flight", path="api") == 5
    assert rig.value("glm_in_flight", path="web") == 4
    assert rig.value("glm_generator_lag_seconds", worker="w1") == 0.0002
    assert rig.value("glm_send_lag_seconds", worker="w1") == 0.001
    assert rig.value("glm_generator_cpu_ratio", worker="w2") is None
    assert rig.value("glm_workers_lost") == 0
    assert rig.value("glm_run_info", run_id="r", version="1", design="mixed", seed="7") == 1
    late = rig.samples(START + 10 * SECOND)
    assert not any(name == "glm_in_flight" for name, _ in late), "silent for too long"
    rig.run.absent = frozenset({"w2"})
    rig.run.lose("w1", "it left")
    assert rig.value("glm_workers_lost") == 2


def test_arrivals_of_an_open_loop(rig: Rig) -> None:
    for worker in ("w1", "w2"):
        rig.run.join(worker, Hello(run_id="r"))
    assert not any("arrival" in name for name, _ in rig.samples()), "a closed loop has none"
    rig.run.target_rate = lambda _: 12.5
    for worker, dropped in (("w1", 3), ("w2", 0)):
        counts = ArrivalCounts(started=10, dropped=dropped)
        rig.run.feel(worker, Pulse(run_id="r", arrivals=counts), START)
    assert rig.value("glm_arrivals_total", outcome="started") == 20
    assert rig.value("glm_arrivals_total", outcome="dropped") == 3
    assert rig.value("glm_arrival_rate") == 12.5
    rig.run.lose("w1", "it left")
    late = rig.samples(START + 10 * SECOND)
    assert late["glm_arrivals_total", (("outcome", "started"),)] == 20, "a counter never falls"


def test_what_a_client_asks_for() -> None:
    assert negotiated(OPENMETRICS_ACCEPT) is Format.OPENMETRICS
    assert negotiated("text/plain;version=0.0.4") is Format.TEXT
    assert negotiated("*/*") is Format.TEXT
    assert negotiated("") is Format.TEXT


def full(rig: Rig) -> Iterator[RequestRecord]:
    for seq in range(MOST_TASKS * 4 * 2):
        yield record(seq, task=f"t{seq % MOST_TASKS}", path=f"p{seq // MOST_TASKS % 4}")


@pytest.mark.prometheus
def test_promtool_has_no_remark(rig: Rig) -> None:
    for one in full(rig):
        rig.tally.accept(one)
    rig.tally.accept(record(outcome=Outcome.FAILED, error_kind=ErrorKind.EMPTY))
    rig.run.join("w", Hello(run_id="r"))
    rig.run.feel("w", Pulse(run_id="r", send_lag_s=1.0, generator_lag_s=1.0, cpu_ratio=1.0), START)
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=rig.text().encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_a_scrape_of_a_large_run_is_short(rig: Rig) -> None:
    took_s = []
    for _ in range(5):
        for one in full(rig):
            rig.tally.accept(one)
        began = time.process_time()
        rig.text(Format.OPENMETRICS)
        took_s.append(time.process_time() - began)
    print(f"{min(took_s) * 1e3:.1f} ms, {len(rig.text())} bytes")
    assert min(took_s) < 0.03, "of a core: what else this machine does is not the page's fault"
