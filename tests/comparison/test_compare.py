"""`glm-locust compare` as people run it: two workers, a real page and Jupyter, everybody counts alike."""

import itertools
import json
import signal
from collections import Counter

import psutil
import pytest

from glm_locust.records import Phase
from glm_locust.testbed import Testbed
from tests.comparison.command import Command
from tests.comparison.conftest import Server
from tests.plugin.team import Result, read, until

pytestmark = pytest.mark.servers

QUICKLY = ("--tasks=ocr", "--warmup=0")
PATHS = {"api", "web", "web-jupyter"}


def finished_run(command: Command) -> Result:
    (run_dir,) = command.run_dirs
    assert (run_dir / "report.html").exists(), command.said
    return read(run_dir)


def assert_counts_agree(result: Result, server: Server) -> None:
    """Requests finished by the server = records = Locust's count, question by question."""
    ended = [record for record in result.records if record.outcome != "cancelled"]
    answered = [record for record in ended if record.outcome == "ok"]
    assert answered
    assert Counter(record.prompt_id for record in answered) == Counter(server.finished())
    assert result.footer is not None
    assert result.footer.locust_requests == len(ended)
    counts = Counter(record.outcome.value for record in result.records)
    assert result.footer.counts == {"ok": 0, "failed": 0, "cancelled": 0, **counts}


def test_the_whole_plan_on_three_paths(command: Command, testbed: Testbed, server: Server) -> None:
    options = ["--tasks=ocr,chart", "--repeats=2", "--levels=1,2", "--seed=3"]
    assert command.run(*command.against(testbed), *options) == 0, command.said
    result = finished_run(command)
    assert_counts_agree(result, server)
    asked = Counter((r.path, r.task, r.level) for r in result.records if r.phase is Phase.MEASURE)
    assert asked == {
        (path, task, level): 2 for path in PATHS for task in ("ocr", "chart") for level in (1, 2)
    }
    assert result.footer is not None
    assert (result.footer.reason, result.footer.partial) == ("completed", False)
    assert result.footer.notes == ()
    assert len(result.footer.workers) == 2
    assert result.header.command[1:2] == ("compare",)
    assert result.header.workload["tasks"] == ["ocr", "chart"]
    assert {target["simulated"] for target in result.header.targets.values()} == {True}
    assert testbed.jupyter_token not in json.dumps(read_all(command))
    assert "Median TTFT in seconds, 2 users" in command.printed
    assert "The model was simulated" in command.printed
    assert command.printed.rstrip().endswith("report.html")
    assert "measure" in command.said, "progress is shown"
    assert not list(command.out.glob(".compare-*")), "nothing temporary is left"


def read_all(command: Command) -> list[str]:
    (run_dir,) = command.run_dirs
    return [file.read_text() for file in run_dir.rglob("*") if file.is_file() and file.suffix != ".html"]


def test_blocks_ask_one_path_at_a_time(command: Command, testbed: Testbed) -> None:
    options = ["--tasks=ocr", "--repeats=6", "--levels=3", "--warmup=0"]
    assert command.run(*command.against(testbed), *options) == 0, command.said
    records = sorted(finished_run(command).records, key=lambda record: record.scheduled_ns)
    spans: dict[int, list[int]] = {}
    for record in records:
        assert record.block is not None
        span = spans.setdefault(record.block, [record.scheduled_ns, record.finished_ns])
        span[1] = max(span[1], record.finished_ns)
    ordered = [spans[block] for block in sorted(spans)]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ordered))
    assert {len({r.path for r in records if r.block == block}) for block in spans} == {1}


def test_the_mixed_design_asks_all_paths_at_once(command: Command, testbed: Testbed, server: Server) -> None:
    options = ["--tasks=ocr", "--repeats=4", "--levels=4", "--warmup=0", "--design=mixed"]
    assert command.run(*command.against(testbed), *options) == 0, command.said
    result = finished_run(command)
    assert_counts_agree(result, server)
    assert {record.block for record in result.records} == {0}
    assert {record.path for record in result.records} == PATHS


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")], ids=["ctrl-c", "sigterm"]
)
def test_a_signal_ends_a_run_of_20_users_in_order(
    command: Command, testbed: Testbed, server: Server, number: signal.Signals, name: str
) -> None:
    command.start(*command.against(testbed), "--levels=20", "--repeats=100", *QUICKLY)
    command.wait_for(lambda: len(server.finished()) > 10, "10 answers")
    command.signal(number)
    assert command.code() == 130, command.said
    result = finished_run(command)
    assert_counts_agree(result, server)
    assert result.footer is not None
    assert (result.footer.reason, result.footer.partial) == ("interrupted", True), name
    assert "Partial" in command.printed


def test_20_users_until_the_run_time_is_over(command: Command, testbed: Testbed, server: Server) -> None:
    assert command.run(*command.against(testbed), "--levels=20", "--run-time=15s", *QUICKLY) == 0, (
        command.said
    )
    result = finished_run(command)
    assert_counts_agree(result, server)
    assert result.footer is not None
    assert (result.footer.reason, result.footer.partial) == ("run_time", False)


def test_a_second_ctrl_c_ends_at_once_and_leaves_the_records(
    command: Command, testbed: Testbed, server: Server
) -> None:
    command.start(*command.against(testbed), "--levels=4", "--repeats=100", *QUICKLY)
    command.wait_for(lambda: len(server.finished()) > 8, "8 answers")
    started = command.descendants
    command.signal(signal.SIGINT)
    command.wait_for(lambda: "Ending" in command.said, "the first Ctrl-C to be heard")
    command.signal(signal.SIGINT)
    assert command.code() == 130
    until(lambda: not any(runs(process) for process in started), "all its processes have ended")
    (run_dir,) = command.run_dirs
    assert len(read(run_dir).records) > 0


def test_nothing_outlives_a_killed_command(command: Command, testbed: Testbed, server: Server) -> None:
    command.start(*command.against(testbed), "--levels=4", "--repeats=100", *QUICKLY)
    command.wait_for(lambda: len(server.finished()) > 2, "2 answers")
    started = command.descendants
    assert len(started) == 3
    command.signal(signal.SIGKILL)
    command.code()
    until(lambda: not any(runs(process) for process in started), "all its processes have ended")


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_without_a_url_a_testbed_is_started_and_the_report_has_its_truth(command: Command) -> None:
    assert command.run("--tasks=ocr", "--repeats=1") == 0, command.said
    assert "model is simulated" in command.said
    (run_dir,) = command.run_dirs
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["run"]["simulated"] == dict.fromkeys(sorted(PATHS), "demo")
    assert summary["layers"]["joined"] == 3
    assert len((run_dir / "truth.jsonl").read_text().splitlines()) >= 6
    assert (run_dir / "logs" / "master.log").exists()
