"""Runs all checks, several suites of tests beside each other: most of their time is spent in waiting.

`python -m tests.suites [--only NAME ...] [PYTEST OPTIONS]`, as `make test` does. Each suite is a pytest
run of its own; its output stands in `.cache/tests/NAME.log` and is printed once it has ended.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".cache" / "tests"
PYTHON = (sys.executable, "-u")
AT_A_TIME = os.cpu_count() or 1
NOTHING_SELECTED = 5
"""pytest's exit code where its options leave no test of a suite."""

PLACES = {
    # Longest first; "rest" is what no other suite names.
    "engines": ("tests/engines",),
    "versions": ("tests/streamlit_versions",),
    "runs": ("tests/comparison", "tests/plugin", "tests/samples"),
    "users": ("tests/users", "tests/cli", "tests/servers"),
    "exporter": ("tests/exporter",),
    "live": ("tests/dashboard", "tests/exposition", "tests/grafana"),
    "rest": (),
}
SETUPS = {
    "engines": ([*PYTHON, "-m", "tests.setup.engine_envs"],),
    "versions": ([*PYTHON, "-m", "tests.setup.streamlit_envs"],),
}
"""What is made before a suite's tests, and stays."""


@dataclass(frozen=True)
class Ended:
    """One suite, after its end."""

    name: str
    code: int
    took_s: float
    output: str

    @property
    def last_line(self) -> str:
        lines = [line for line in self.output.splitlines() if line.strip()]
        return lines[-1].strip("= ") if lines else "no output"


def commands(name: str, options: list[str]) -> list[list[str]]:
    """What a suite runs, one after the other."""
    if name == "lint":
        return [["make", "--no-print-directory", "lint"]]
    pytest = [*PYTHON, "-m", "pytest", "-p", "no:cacheprovider", *options]
    if name == "rest":
        taken = [place for places in PLACES.values() for place in places]
        return [[*pytest, "tests", *(f"--ignore={place}" for place in taken)]]
    return [*SETUPS.get(name, ()), [*pytest, *PLACES[name]]]


def run(name: str, options: list[str]) -> Ended:
    """Carry out one suite; its first failure ends it."""
    begun, log = time.monotonic(), LOGS / f"{name}.log"
    code = 0
    with log.open("wb") as file:
        for command in commands(name, options):
            code = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False
            ).returncode
            if code:
                break
    if code == NOTHING_SELECTED and options:
        code = 0
    return Ended(name, code, time.monotonic() - begun, log.read_text(errors="replace"))


def main(arguments: list[str] | None = None) -> int:
    """Run the suites; 1 where any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__)
    names = ["lint", *PLACES]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    chosen, options = parser.parse_known_args(arguments)
    wanted = [name for name in (*PLACES, "lint") if not chosen.only or name in chosen.only]
    LOGS.mkdir(parents=True, exist_ok=True)
    print(f"{AT_A_TIME} at a time: {', '.join(wanted)}. Output while they run: {LOGS}", flush=True)
    failed = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for future in as_completed([pool.submit(run, name, options) for name in wanted]):
            ended = future.result()
            print(f"\n######## {ended.name}\n{ended.output}", flush=True)
            print(f"######## {ended.name}: {ended.took_s:.0f} s, exit code {ended.code}", flush=True)
            if ended.code:
                failed.append(ended)
    for ended in failed:
        print(f"FAILED: {ended.name}: {ended.last_line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
