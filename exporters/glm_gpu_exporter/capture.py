"""Captures: rows written to a file, and played back as if they came from this machine now."""

import gzip
import json
import logging
import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from io import BufferedWriter
from pathlib import Path

from glm_gpu_exporter import __version__
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.rows import Row, encoded

FORMAT = 1

logger = logging.getLogger(__name__)


class Recorder(threading.Thread):
    """Writes rows to a file, one JSON object a line after a header; gzip where the name ends in .gz.

    In a thread of its own: a disk that stalls must not keep anyone from reading metrics.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(name="record", daemon=True)
        self._file: gzip.GzipFile | BufferedWriter
        try:
            self._file = gzip.GzipFile(path, "wb", 5) if path.suffix == ".gz" else path.open("wb")
        except OSError as error:
            raise ConfigError(f"--record {path}: {error.strerror}") from None
        self._path = path
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._failed = False
        header = {"kind": "capture", "format": FORMAT, "exporter": __version__, "started_ns": time.time_ns()}
        self.write(encoded(header))

    def write(self, line: bytes) -> None:
        """Adds one encoded row, soon."""
        if not self._failed:
            self._lines.put(line)

    def run(self) -> None:
        """Write until closed, or until the disk refuses."""
        try:
            with self._file:
                while (line := self._lines.get()) is not None:
                    self._file.write(line + b"\n")
        except OSError as error:
            self._failed = True
            logger.error("--record %s ends here: %s", self._path, error.strerror)

    def close(self) -> None:
        """Completes the file; later rows are not written."""
        self._lines.put(None)
        self.join()


def read_capture(path: Path) -> Iterator[Row]:
    """The rows of a capture, without its header.

    Raises ConfigError for what is not a capture; a capture that was cut off ends where it was cut.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            _check_header(path, file.readline())
            for number, line in enumerate(file, 2):
                if not line.endswith(b"\n"):
                    return
                try:
                    row = json.loads(line)
                except ValueError:
                    raise ConfigError(f"--replay {path}: line {number} is not JSON") from None
                if not isinstance(row, dict) or not {"kind", "t0_ns", "t1_ns"} <= row.keys():
                    raise ConfigError(f"--replay {path}: line {number} is not a row (kind, t0_ns, t1_ns)")
                yield row
    except (EOFError, zlib.error):
        return
    except OSError as error:
        raise ConfigError(f"--replay {path}: {error.strerror or 'not a gzip file'}") from None


def _check_header(path: Path, line: bytes) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("kind") != "capture":
        raise ConfigError(
            f"--replay {path}: expected a capture made by --record, its first line is no header"
        )
    if header.get("format") != FORMAT:
        raise ConfigError(f"--replay {path}: capture format {FORMAT} expected, not {header.get('format')}")


def shifted(row: Row, shift_ns: int) -> Row:
    """The row as if it had been read ``shift_ns`` later."""
    moved = {**row, "t0_ns": row["t0_ns"] + shift_ns, "t1_ns": row["t1_ns"] + shift_ns}
    if "t_ns" in row:
        moved["t_ns"] = [t_ns + shift_ns for t_ns in row["t_ns"]]
    return moved


class Replay(threading.Thread):
    """A source of rows: a capture, with the pace it was recorded in and with times of now."""

    def __init__(self, path: Path, loop: bool, deliver: Callable[[Row], None]) -> None:
        super().__init__(name="replay", daemon=True)
        first = next(read_capture(path), None)
        if first is None:
            raise ConfigError(f"--replay {path}: the capture has no rows")
        self._path = path
        self._loop = loop
        self._deliver = deliver
        self._stopping = threading.Event()

    def run(self) -> None:
        """Play until the end of the capture, or until closed."""
        try:
            self._play()
            while self._loop and not self._stopping.is_set():
                self._play()
        except ConfigError as error:
            logger.error("replay ends: %s", error)

    def close(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def _play(self) -> None:
        shift_ns: int | None = None
        for row in read_capture(self._path):
            if shift_ns is None:
                shift_ns = time.time_ns() - row["t1_ns"]
            moved = shifted(row, shift_ns)
            ahead_s = (moved["t1_ns"] - time.time_ns()) / 1e9
            if ahead_s > 0:
                self._stopping.wait(ahead_s)
            if self._stopping.is_set():
                return
            self._deliver(moved)
