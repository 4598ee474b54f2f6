"""What one worker process costs with many users at a Streamlit page, and whether it loses any.

    python benchmarks/streamlit_scale.py [--seconds 300] [--cases streaming,thinking]

The page is the stand-in (`streamlit_standin.py`), because one Streamlit process serves some twenty
streaming users. The users run as in production: a Locust master and one Locust worker with the plugin,
each record sealed, spooled, sent and acknowledged. Case `streaming`: 150 users ask back to back, each
answer comes at 50 updates/s. Case `thinking`: 1,000 users think 30 to 90 s between two questions, and
read meanwhile, as a browser does. CPU is that of the worker process over the window; a frame is one
update of an answer; a user is lost who had to connect twice, was dropped or had a question fail.
"""

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from glm_locust.records import Outcome, RequestRecord, decode_line
from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port

ROOT = Path(__file__).parent.parent
TTFT_S = 0.3
RATE_HZ = 50
SETTLE_S = 10.0
SAMPLE_S = 5.0
DRAIN_S = 15


@dataclass(frozen=True, slots=True)
class Case:
    """How many users and what they do."""

    name: str
    users: int
    think_s: tuple[float, float]
    updates: int
    spawn_hz: int

    @property
    def words(self) -> str:
        """For the table."""
        low, high = self.think_s
        doing = f"thinking {low:g} to {high:g} s between answers" if high else "streaming all the time"
        return f"{self.users} users, {doing}"


CASES = {
    case.name: case
    for case in (
        Case("streaming", 150, (0.0, 0.0), updates=200, spawn_hz=15),
        Case("thinking", 1000, (30.0, 90.0), updates=100, spawn_hz=20),
    )
}


@dataclass
class Window:
    """What was seen between two instants."""

    begin_ns: int
    end_ns: int
    before: dict[str, Any]
    after: dict[str, Any]
    """The stand-in's own figures."""
    cpu_s: dict[str, float]
    """Process -> CPU time in the window."""
    waited_s: float
    """How long the worker was ready to run and had no core."""
    rss_bytes: list[int]
    """Of the worker, over the window."""

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.begin_ns) / 1e9

    def count(self, name: str) -> int:
        """By how much a figure of the stand-in grew."""
        return int(self.after.get(name, 0)) - int(self.before.get(name, 0))

    def late_ms(self, share: float) -> float:
        """Upper bound of the quantile of how late the stand-in's own updates were."""
        late = {
            float(bound): count - self.before["late_ms"].get(bound, 0)
            for bound, count in self.after["late_ms"].items()
        }
        wanted = share * sum(late.values())
        seen = 0
        for bound in sorted(late):
            seen += late[bound]
            if seen >= wanted:
                return bound
        return math.nan


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300, help="of each window (default 300)")
    parser.add_argument("--cases", default=",".join(CASES), help="default %(default)s")
    parser.add_argument("--users", type=int, help="in place of the cases' own numbers")
    parser.add_argument(
        "--realtime", action="store_true", help="run before all other work of a machine that is not idle"
    )
    given = parser.parse_args()
    load = machine.load()
    rows, lost = [], 0
    for name in given.cases.split(","):
        case = CASES[name]
        if given.users:
            case = Case(name, given.users, case.think_s, case.updates, case.spawn_hz)
        row, case_lost = run(case, given.seconds, given.realtime)
        rows.append(row)
        lost += case_lost
    head = (
        *(
            "users",
            "window s",
            "questions",
            "frames/s",
            "worker CPU, share of a core",
            "CPU per frame µs",
            "waits for a core",
        ),
        *("RSS MiB, begin → end", "TTFT added ms, median / p99", "update gap ms, median / p99"),
        *("lost users", "failed questions", "stand-in CPU / its updates late ms p99", "master CPU"),
    )
    note = (
        f"The stand-in sends each answer's first update {TTFT_S:g} s after the question and the others "
        f"{1000 / RATE_HZ:g} ms apart; *TTFT added* is what a record says beyond that. All processes share "
        "this machine's cores; *waits for a core*: how long the worker was ready to run and others ran, "
        "as a share of the window. Who waits takes several frames at once, which costs less per frame."
    )
    machine.publish(
        "streamlit_scale",
        "One worker process with many users at a Streamlit page",
        load,
        machine.table(head, rows),
        note,
    )
    return 1 if lost else 0


def run(case: Case, seconds: float, realtime: bool) -> tuple[list[object], int]:
    """Measure one case; returns its row and how many users were lost."""
    with tempfile.TemporaryDirectory(prefix="glm-scale-") as directory, contextlib.ExitStack() as stack:
        workdir = Path(directory)
        url = stack.enter_context(standin(case, workdir))
        duration_s = case.users / case.spawn_hz + SETTLE_S + seconds + DRAIN_S
        team = stack.enter_context(locust(case, url, duration_s, workdir))
        if realtime:
            machine.go_first(stats(url)["pid"], *(child.pid for child in team.values()))
        patience_s = 60 + 3 * case.users / case.spawn_hz
        until(lambda: stats(url).get("connections", 0) == case.users, patience_s, team)
        pause(SETTLE_S, team)
        window = observe(url, team, seconds)
        until(lambda: team["master"].exit_code is not None, 120, {})
        if team["master"].exit_code != 0:
            print(f"master's exit code: {team['master'].exit_code}\n{team['master'].tail()}", file=sys.stderr)
        records = list(records_of(workdir))
    inside = [r for r in records if r.submitted_ns and window.begin_ns <= r.submitted_ns < window.end_ns]
    inside = [r for r in inside if r.outcome is not Outcome.CANCELLED]  # those that the end of the run met
    failed = [r for r in records if r.outcome is Outcome.FAILED]
    for record in failed[:5]:
        print(f"failed: {record.error_kind} {record.error_detail}", file=sys.stderr)
    dropped = sum(count for name, count in window.after.items() if name.startswith("dropped"))
    lost = int(window.after["opened"]) - case.users + dropped + len(failed)
    added = [(r.first_token_ns - r.submitted_ns) / 1e6 - TTFT_S * 1e3 for r in inside if r.first_token_ns]  # type: ignore[operator]
    gaps = [gap / 1e3 for r in inside for gap in r.output_gaps_us]
    frames = window.count("updates")
    if lost:
        print(f"{len(records)} records; the stand-in: {window.after}", file=sys.stderr)
    cpu = window.cpu_s
    row = [
        case.words,
        f"{window.seconds:.0f}",
        len(inside),
        f"{frames / window.seconds:.0f}",
        f"{cpu['worker'] / window.seconds:.0%}",
        f"{cpu['worker'] / frames * 1e6:.0f}",
        f"{window.waited_s / window.seconds:.0%}",
        f"{window.rss_bytes[0] / 2**20:.0f} → {window.rss_bytes[-1] / 2**20:.0f}",
        f"{np.quantile(added, 0.5):.1f} / {np.quantile(added, 0.99):.1f}",
        f"{np.quantile(gaps, 0.5):.1f} / {np.quantile(gaps, 0.99):.1f}",
        lost,
        len(failed),
        f"{cpu['standin'] / window.seconds:.0%} / ≤ {window.late_ms(0.99):g}",
        f"{cpu['master'] / window.seconds:.0%}",
    ]
    return row, lost


@contextlib.contextmanager
def standin(case: Case, workdir: Path) -> Iterator[str]:
    """The server; yields its URL."""
    port = available_port(0)
    command = [sys.executable, str(ROOT / "benchmarks/streamlit_standin.py"), "--port", str(port)]
    command += ["--ttft", str(TTFT_S), "--rate", str(RATE_HZ), "--updates", str(case.updates)]
    child = Child("stand-in", command, log=workdir / "standin.log", env=os.environ, cwd=workdir)
    try:
        child.wait_until(lambda: str(port) in child.log.read_text(), seconds=60)
        yield f"http://{HOST}:{port}/"
    finally:
        child.end()


@contextlib.contextmanager
def locust(case: Case, url: str, duration_s: float, workdir: Path) -> Iterator[dict[str, Child]]:
    """Master and one worker."""
    port = str(available_port(0))
    low, high = case.think_s
    env = {**os.environ, "THINK_MIN_S": str(low), "THINK_MAX_S": str(high)}
    base = [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks/streamlit_scale_users.py")]
    master = ["--master", "--master-bind-host", HOST, "--master-bind-port", port, "--expect-workers", "1"]
    master += ["--headless", "--only-summary", "-u", str(case.users), "-r", str(case.spawn_hz)]
    master += ["-t", f"{round(duration_s)}s", f"--glm-web={url}", "--glm-drain-timeout=10"]
    worker = ["--worker", "--master-host", HOST, "--master-port", port]
    team: dict[str, Child] = {}
    try:
        for name, arguments in (("master", master), ("worker", worker)):
            log = workdir / f"{name}.log"
            team[name] = Child(name, [*base, *arguments], log=log, env=env, cwd=workdir)
        yield team
    finally:
        for child in team.values():
            child.end()


def observe(url: str, team: dict[str, Child], seconds: float) -> Window:
    """Look at everything now, and again after so many seconds."""
    before = stats(url)
    pids = {"worker": team["worker"].pid, "master": team["master"].pid, "standin": before["pid"]}
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    cpu = {name: -machine.cpu_s([process]) for name, process in processes.items()}
    waited_s = -machine.waited_s(processes["worker"])
    begin_ns = time.time_ns()
    rss = [processes["worker"].memory_info().rss]
    end_s = time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        pause(min(SAMPLE_S, left_s), team)
        rss.append(processes["worker"].memory_info().rss)
    end_ns = time.time_ns()
    waited_s += machine.waited_s(processes["worker"])
    cpu = {name: used + machine.cpu_s([processes[name]]) for name, used in cpu.items()}
    return Window(begin_ns, end_ns, before, stats(url), cpu, waited_s, rss)


def stats(url: str) -> dict[str, Any]:
    """What the stand-in says of itself."""
    with urllib.request.urlopen(f"{url}standin/stats", timeout=30) as answer:
        figures: dict[str, Any] = json.load(answer)
    return figures


def records_of(workdir: Path) -> Iterator[RequestRecord]:
    """All records of the one run."""
    (file,) = (workdir / "runs").glob("*/run.jsonl")
    for line in map(decode_line, file.read_bytes().splitlines()):
        if isinstance(line, RequestRecord):
            yield line


def until(condition: Callable[[], bool], seconds: float, team: dict[str, Child]) -> None:
    """Wait for the condition while all of the team run."""
    end_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit(f"not within {seconds:g} s; " + "\n".join(c.tail() for c in team.values()))
        pause(0.5, team)


def pause(seconds: float, team: dict[str, Child]) -> None:
    """Let time pass; a process of the team that has ended ends the benchmark."""
    threading.Event().wait(seconds)
    for child in team.values():
        if child.exit_code is not None:
            raise SystemExit(f"{child.name} ended with code {child.exit_code}:\n{child.tail()}")


if __name__ == "__main__":
    sys.exit(main())
