"""A whole run beside a GPU whose throttling is scripted: exporter, testbed, comparison, report.

The scripted NVML reports clocks and throttle reasons by a schedule laid out beforehand. Either the
testbed's engine is slower at the same times, or it is not: then the truth is that nothing relates.
Utilisation follows the engine's load in both cases.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glm_locust.samples.endpoints import understood
from glm_locust.samples.exposition import plain_values
from glm_locust.testbed import Testbed
from tests.exporter.rig import Exporter, Journal, built_library

FULL_MHZ, HELD_MHZ = 1980, 1380
POWER_CAP = 0x4


@dataclass(frozen=True)
class Plan:
    """One run."""

    run_s: float | None = None
    """None: until all is asked."""
    repeats: int | None = None
    """Questions per task; None: until the time is over."""
    effect: float = 1.4
    """The engine's durations while throttled, over those otherwise; 1: no effect."""
    users: int = 3
    held_s: float = 3.0
    full_s: float = 6.0
    """How long the clock is held and left alone on average, beyond `least_s`."""
    least_s: float = 1.0
    seed: int = 1
    workers: int = 1


HORIZON_S = 900.0
"""Longer than any run, on however slow a machine."""


def schedule(plan: Plan, began_s: float) -> list[tuple[float, bool]]:
    """(time, throttled from then on), irregular."""
    rng = np.random.default_rng(plan.seed)
    at, held, found = began_s, False, []
    while at < began_s + HORIZON_S:
        found.append((at, held))
        at += plan.least_s + rng.exponential(plan.held_s if held else plan.full_s)
        held = not held
    return found


def play(plan: Plan, directory: Path) -> Path:
    """Carry out the run; returns its directory."""
    journal, pace = Journal(directory / "journal"), directory / "pace"
    began_s = time.time()
    changes = schedule(plan, began_s)
    journal.add(
        "gpus = 1",
        *(f"@{at * 1e6:.0f} 0.sm_mhz = {HELD_MHZ if held else FULL_MHZ}" for at, held in changes),
        *(f"@{at * 1e6:.0f} 0.throttle = {POWER_CAP if held else 0}" for at, held in changes),
    )
    pace.write_text("".join(f"{at:.6f} {plan.effect if held else 1}\n" for at, held in changes))
    with (
        Exporter(built_library(), journal) as exporter,
        Testbed(web=False, pace_file=pace, workdir=directory / "testbed", seed=plan.seed) as testbed,
        _Load(testbed.api_url, journal),
    ):
        command = [sys.executable, "-m", "glm_locust", "compare", f"--api={testbed.api_url}"]
        command += [f"--exporter={exporter.url}", f"--metrics={testbed.api_url}", f"--seed={plan.seed}"]
        command += [f"--levels={plan.users}", f"--workers={plan.workers}"]
        command += [f"--run-time={plan.run_s:.0f}s"] if plan.run_s else []
        command += [f"--repeats={plan.repeats}"] if plan.repeats else []
        command += [f"--out={directory / 'runs'}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HORIZON_S)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (run_dir,) = (path.parent for path in (directory / "runs").glob("*/run.jsonl"))
    return run_dir


def findings(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Reading -> what summary.json says of it."""
    summary = json.loads((run_dir / "summary.json").read_text())
    return {finding["reading"]: finding for finding in summary["correlation"]["findings"]}


class _Load(threading.Thread):
    """Writes the GPU's utilisation into the journal, by what the engine has to do."""

    def __init__(self, api_url: str, journal: Journal) -> None:
        super().__init__(daemon=True)
        self._url = f"{api_url}/metrics"
        self._journal = journal
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.15):
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                gauges = understood(plain_values(answer.read().decode())).gauges
            running = sum(gauges[("engine", name)] for name in ("requests_running", "requests_waiting"))
            self._journal.add(f"@{time.time() * 1e6:.0f} 0.util = {100 * (1 - np.exp(-0.7 * running)):.0f}")

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *exc: object) -> None:
        self._ending.set()
        self.join()
