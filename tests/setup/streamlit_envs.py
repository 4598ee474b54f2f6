"""Makes one environment for each old version of Streamlit that the Web path is tested against.

    python -m tests.setup.streamlit_envs

An environment holds Streamlit, httpx and nothing of ours. They stand under `.cache/streamlit/` in the
clone and are made once; the newest version is the one that the tests themselves run with.
"""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "streamlit"
NEWEST = "1.67.0"
WANTED = ("1.28.2", "1.37.1", "1.45.1", "1.52.2", NEWEST)
_CALM_PINGS = "tornado<6.5"
"""From 6.5 on a websocket may be silent for one ping interval only: one second, in these Streamlits."""
PINS = {"1.28.2": ("pyarrow<20", _CALM_PINGS), "1.37.1": (_CALM_PINGS,), "1.45.1": (_CALM_PINGS,)}
"""What their own requirements leave open and no longer works; the first holds numpy below 2."""
MAKERS = 2
"""Environments made at the same time."""
TRIES_S = 900
LAST_PYTHON_OF_OLD_ONES = (3, 12)
"""The packages that the oldest Streamlit wants have no wheels for later ones."""


@dataclass(frozen=True)
class Environment:
    """One version of Streamlit and the Python that runs it."""

    version: str
    python: Path

    @property
    def number(self) -> tuple[int, ...]:
        """`1.52.2` as (1, 52, 2)."""
        return tuple(map(int, self.version.split(".")))


class MissingError(Exception):
    """An environment that is not there and could not be made; the text says why."""


def environment(wanted: str) -> Environment:
    """The environment of a version, made if need be; raises MissingError."""
    if _own_version() == wanted:
        return Environment(wanted, Path(sys.executable))
    folder = CACHE / wanted
    made = Environment(wanted, folder / "bin" / "python")
    with _alone(CACHE / f"{wanted}.lock"):
        wishes = (f"streamlit=={wanted}", "httpx", *PINS.get(wanted, ()))
        complete = folder / "complete"
        if not complete.exists() or complete.read_text() != "\n".join(wishes):
            _make(folder, wishes)
            complete.write_text("\n".join(wishes))
    return made


def _own_version() -> str | None:
    try:
        return version("streamlit")
    except PackageNotFoundError:
        return None


def _make(folder: Path, wishes: tuple[str, ...]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run([_interpreter(), "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--timeout=30"]
    # --no-compile: most of what is installed is never imported.
    _run([*pip, "--no-compile", "--only-binary", ":all:", *wishes])
    _run([str(folder / "bin" / "python"), "-c", "import streamlit, httpx"])


def _interpreter() -> str:
    if sys.version_info[:2] <= LAST_PYTHON_OF_OLD_ONES:
        return sys.executable
    found = shutil.which("python3.12") or shutil.which("python3.11")
    if found is None:
        raise MissingError("needs Python 3.11 or 3.12 on the PATH")
    return found


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRIES_S)
    except subprocess.TimeoutExpired:
        raise MissingError(f"{command[3:5]} took more than {TRIES_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise MissingError(lines[-1][:300])


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Make all that are wanted; exit code 1 only with CI=true and one missing."""

    def attempt(wanted: str) -> str | None:
        begun = time.monotonic()
        try:
            environment(wanted)
        except MissingError as error:
            return f"Streamlit {wanted} could not be installed: {error}"
        if (took := time.monotonic() - begun) > 1:
            print(f"Streamlit {wanted}: environment made in {took:.0f} s", flush=True)
        return None

    with ThreadPoolExecutor(MAKERS) as pool:
        problems = [problem for problem in pool.map(attempt, WANTED) if problem]
    for problem in problems:
        print(f"{problem}; its tests are left out", file=sys.stderr)
    return 1 if problems and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
