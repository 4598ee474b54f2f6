"""Open loop in real time: how late requests go off, and what a stalled server does to the percentiles.

    python benchmarks/open_loop.py [--seconds 60] [--stall 5]

A model server of known pace and two Locust workers, all on this machine. First 100 requests a second
in a Poisson process: send lag is sent - scheduled, as records have it. Then the server is stopped
(SIGSTOP) in the middle of an open-loop run and of a closed-loop run that asks about as often.
What is in flight then, or due in an instant after it, is late by what is left of the stall. With an
answer's usual duration `pace` and requests at an even rate over T seconds, the share pace / T is late by
all of it and the share stall / T evenly by less: the quantile q of E2E is pace + stall - ((1 - q) * T - pace)
as long as that is between. A closed loop has as many late requests as it has users.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.programs import ROOT, steady_model
from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.records import RequestRecord, RunFooter, decode_line
from glm_locust.testbed.ports import HOST, available_port

LAG_RATE_HZ = 100
LAG_P99_BOUND_MS = 5.0
STALL_RATE_HZ = 20
USERS = 3
"""Of the closed loop: with answers of about 140 ms they ask about 20 times a second."""
TTFT_S, TOKEN_RATE_HZ, TOKENS = 0.05, 100.0, 10
P99_BOUND_SHARE = 0.05
"""How far the p99 after a stall may be from theory."""
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run left."""

    records: list[RequestRecord]
    dropped: int

    def of(self, metric: str) -> np.ndarray:
        """The values of a metric over the measured requests."""
        formula = METRICS[metric].formula
        return np.array([value for record in self.records for value in formula(record)])

    @property
    def seconds(self) -> float:
        """From the first to the last request that was due."""
        due = [record.scheduled_ns for record in self.records]
        return (max(due) - min(due)) * 1e-9


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60, help="of each run (default %(default)s)")
    parser.add_argument("--stall", type=float, default=5, help="seconds (default %(default)s)")
    args = parser.parse_args()
    before = machine.load()
    with tempfile.TemporaryDirectory(prefix="glm-open-loop-") as name:
        workdir = Path(name)
        questions = workdir / "questions.jsonl"
        questions.write_text("".join(question_lines()))
        with steady_model(workdir, TTFT_S, TOKEN_RATE_HZ, TOKENS) as (url, pid):
            common = (f"--host={url}", f"--glm-dataset={questions}")
            open_at = (f"--glm-arrivals=poisson:{LAG_RATE_HZ}/s", "--glm-max-in-flight=100")
            lag = play(workdir / "lag", (*common, *open_at), args.seconds)
            at = (f"--glm-arrivals=constant:{STALL_RATE_HZ}/s", "--glm-max-in-flight=300")
            opened = play(workdir / "open", (*common, *at), args.seconds, args.stall, pid)
            users = ("-u", str(USERS), "-r", str(USERS), "--glm-think-time=0.001")
            closed = play(workdir / "closed", (*common, *users), args.seconds, args.stall, pid)
    lag_table, lag_held = of_lag(lag)
    stall_table, stall_held = of_stall(opened, closed, args.stall)
    explained = (
        f"Model server ({TTFT_S * 1e3:g} ms to the first of {TOKENS} tokens at {TOKEN_RATE_HZ:g}/s), "
        "master and 2 workers share the machine's cores."
    )
    machine.publish("open_loop", "Open loop in real time", before, explained, lag_table, stall_table)
    return 0 if lag_held and stall_held else 1


def question_lines() -> Iterator[str]:
    """Short texts: what is measured here is when they go off."""
    for number in range(300):
        task = ("describe", "ocr", "chart")[number % 3]
        yield json.dumps({"prompt": f"Question {number}: what is next?", "task": task}) + "\n"


def play(
    workdir: Path, options: Sequence[str], seconds: float, stall_s: float = 0.0, server: int = 0
) -> Outcome:
    """One run of `locustfiles/chat_api.py`; the server is stopped in its middle."""
    workdir.mkdir()
    port = str(available_port(0))
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles/chat_api.py"), "--headless"]
    command += ["--processes=2", f"--master-bind-port={port}", f"--master-port={port}", "--only-summary"]
    command += [f"--master-bind-host={HOST}", *options]
    with (workdir / "locust.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=workdir, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        try:
            wait_for_record(workdir, process)
            pause = threading.Event()
            pause.wait((seconds - stall_s) / 2)
            if stall_s:
                os.kill(server, signal.SIGSTOP)
                try:
                    pause.wait(stall_s)
                finally:
                    os.kill(server, signal.SIGCONT)
            pause.wait((seconds - stall_s) / 2)
            process.terminate()
            process.wait(DEADLINE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return read(workdir)


def wait_for_record(workdir: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until the first request of the run is recorded."""
    end_s = time.monotonic() + DEADLINE_S
    while not any(file.read_bytes().count(b"\n") > 1 for file in workdir.glob("runs/*/run.jsonl")):
        if process.poll() is not None or time.monotonic() > end_s:
            raise SystemExit((workdir / "locust.log").read_text()[-2000:])
        time.sleep(0.05)


def read(workdir: Path) -> Outcome:
    """Records and drops of the one run there."""
    (run_file,) = workdir.glob("runs/*/run.jsonl")
    lines = [decode_line(line) for line in run_file.read_bytes().splitlines()]
    footer = lines[-1]
    assert isinstance(footer, RunFooter)
    records = [line for line in lines if isinstance(line, RequestRecord) and enters_statistics(line)]
    return Outcome(records, (footer.arrivals or {}).get("dropped", 0))


def of_lag(run: Outcome) -> tuple[str, bool]:
    """The table of send lag, and whether it is within its bound."""
    p50, p99, most = (float(q) * 1e3 for q in np.quantile(run.of("send_lag_s"), (0.5, 0.99, 1)))
    held = p99 <= LAG_P99_BOUND_MS and not run.dropped
    head = ("asked", "reached", "n", "dropped", "send lag p50", "p99", "max", "bound of p99")
    row = (
        f"{LAG_RATE_HZ}/s",
        f"{len(run.records) / run.seconds:.1f}/s",
        len(run.records),
        run.dropped,
        f"{p50:.2f} ms",
        f"{p99:.2f} ms",
        f"{most:.2f} ms",
        f"{LAG_P99_BOUND_MS:g} ms, {'held' if held else 'EXCEEDED'}",
    )
    return machine.table(head, [row]), held


def of_stall(opened: Outcome, closed: Outcome, stall_s: float) -> tuple[str, bool]:
    """The table of both loops around the stall, and whether the open one is where theory says."""
    rows = []
    held = True
    for name, run in (("open", opened), ("closed", closed)):
        e2e = run.of("e2e_s")
        p50, p99, most = (float(q) for q in np.quantile(e2e, (0.5, 0.99, 1)))
        late = int(np.count_nonzero(e2e > p50 + 0.1 * stall_s))
        theory = p50
        if name == "open":
            theory += stall_s - max(0.0, 0.01 * run.seconds - p50)
            held = abs(p99 - theory) <= P99_BOUND_SHARE * theory and not run.dropped
        rows.append(
            (
                name,
                f"{len(run.records) / run.seconds:.1f}/s",
                len(run.records),
                run.dropped,
                late,
                f"{p50:.3f} s",
                f"{p99:.3f} s",
                f"{most:.3f} s",
                f"{theory:.3f} s{'' if name == 'closed' else ', held' if held else ', MISSED'}",
            )
        )
    head = (
        "loop",
        "rate",
        "n",
        "dropped",
        f"late by > {0.1 * stall_s:g} s",
        "E2E p50",
        "p99",
        "max",
        "p99 by theory",
    )
    title = f"A stall of {stall_s:g} s. The closed loop measures as if it had hardly happened:"
    return f"{title}\n\n{machine.table(head, rows)}", held


if __name__ == "__main__":
    sys.exit(main())
