"""Pace file: how much slower than its preset the engine is, and when; for effects whose truth is known.

A line is `SECONDS FACTOR`: from this time (seconds since the epoch) on, every duration of the engine is
FACTOR times as long. Lines may be appended while the server runs; blank lines and `#` comments are skipped.
"""

import bisect
import time
from pathlib import Path

from glm_locust.errors import ConfigError

LOOK_EVERY_S = 0.1


class PaceFile:
    """The factors of one file over time."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError where the file cannot be read or a line is wrong."""
        self._path = path
        self._size = -1
        self._looked_s = 0.0
        self._lines: list[tuple[float, float]] = []
        self._read()

    def factor_at(self, unix_s: float) -> float:
        """The factor in force at this time; 1 before the first line."""
        if time.monotonic() - self._looked_s >= LOOK_EVERY_S:
            self._read()
        place = bisect.bisect_right(self._lines, (unix_s, float("inf")))
        return self._lines[place - 1][1] if place else 1.0

    def _read(self) -> None:
        self._looked_s = time.monotonic()
        try:
            if self._path.stat().st_size == self._size:
                return
            text = self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"pace file {self._path}: cannot be read: {error.strerror}") from None
        self._size = len(text.encode())
        whole = text[: text.rfind("\n") + 1]
        found = [_line(self._path, n, line) for n, line in enumerate(whole.splitlines(), 1)]
        self._lines = sorted(one for one in found if one is not None)


def _line(path: Path, number: int, line: str) -> tuple[float, float] | None:
    words = line.partition("#")[0].split()
    if not words:
        return None
    try:
        at_s, factor = map(float, words)
    except ValueError:
        at_s, factor = 0.0, -1.0
    if not 0 < factor < float("inf"):
        raise ConfigError(f"pace file {path}: line {number}: expected SECONDS FACTOR, a factor above 0")
    return at_s, factor
