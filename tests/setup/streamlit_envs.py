"""Makes one environment for each old version of Streamlit that the Web path is tested against.

    python -m tests.setup.streamlit_envs

An environment holds Streamlit, httpx and nothing of ours. They stand under `.cache/streamlit/` in the
clone and are made once; the newest version is the one that the tests themselves run with.
"""

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.setup import environments
from tests.setup.environments import MissingError

CACHE = environments.CACHE / "streamlit"
NEWEST = "1.67.0"
WANTED = ("1.28.2", "1.37.1", "1.45.1", "1.52.2", NEWEST)
_CALM_PINGS = "tornado<6.5"
"""From 6.5 on a websocket may be silent for one ping interval only: one second, in these Streamlits."""
PINS = {"1.28.2": ("pyarrow<20", _CALM_PINGS), "1.37.1": (_CALM_PINGS,), "1.45.1": (_CALM_PINGS,)}
"""What their own requirements leave open and no longer works; the first holds numpy below 2."""
MAKERS = 2
"""Environments made at the same time."""
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


def environment(wanted: str) -> Environment:
    """The environment of a version, made if need be; raises MissingError."""
    if _own_version() == wanted:
        return Environment(wanted, Path(sys.executable))
    wishes = (f"streamlit=={wanted}", "httpx", *PINS.get(wanted, ()))
    python = environments.made(
        CACHE / wanted, wishes, interpreter=_interpreter(), proof="import streamlit, httpx"
    )
    return Environment(wanted, python)


def _own_version() -> str | None:
    try:
        return version("streamlit")
    except PackageNotFoundError:
        return None


def _interpreter() -> str:
    if sys.version_info[:2] <= LAST_PYTHON_OF_OLD_ONES:
        return sys.executable
    found = shutil.which("python3.12") or shutil.which("python3.11")
    if found is None:
        raise MissingError("needs Python 3.11 or 3.12 on the PATH")
    return found


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
