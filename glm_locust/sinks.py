"""Files that hold whole lines only: `run.jsonl` on the master, spools on the workers."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from glm_locust.errors import ConfigError, GlmLocustError
from glm_locust.records import RunFooter, RunHeader, encode_line

RUN_FILE = "run.jsonl"
FOOTER_FILE = "footer.jsonl"
"""Holds the footer where `run.jsonl` could not grow any more."""
SPOOL_DIRECTORY = "spool"
"""In the directory of a run: what its workers still have to deliver."""
RESERVE_FILE = "footer.reserve"
RESERVE_BYTES = 64 * 1024
"""Kept aside on the same disk, so that a footer fits after everything else has been filled."""


class SinkError(GlmLocustError):
    """A file of the run takes no more lines; what it holds is whole."""


class LineFile:
    """An append-only file: what is appended is in it as a whole or not at all."""

    def __init__(self, path: Path, *, new: bool) -> None:
        """Raises SinkError where the file cannot be opened, or with `new` exists already."""
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | (os.O_EXCL if new else 0)
        try:
            self._fd = os.open(path, flags, 0o644)
        except OSError as error:
            raise SinkError(f"cannot open {path}: {error.strerror}") from None
        self._size = os.fstat(self._fd).st_size

    @property
    def size(self) -> int:
        """Bytes appended so far, or found at the start."""
        return self._size

    def append(self, lines: bytes) -> None:
        """Append whole lines; raises SinkError and leaves the file as it was where they do not fit."""
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # readers tolerate a last line that was cut off
                os.ftruncate(self._fd, self._size)
            raise SinkError(f"cannot write {self.path}: {error.strerror}") from None
        self._size += len(lines)

    def sync(self) -> None:
        """Have the lines survive a loss of power."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Append nothing more."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class JsonlSink:
    """`run.jsonl`, the truth about a run: header, records, footer."""

    def __init__(self, run_dir: Path, header: RunHeader) -> None:
        """Make the directory and write the header; raises SinkError."""
        try:
            run_dir.mkdir(parents=True)
        except OSError as error:
            raise SinkError(f"cannot make {run_dir}: {error.strerror}") from None
        self._run_dir = run_dir
        self._file = LineFile(run_dir / RUN_FILE, new=True)
        self._reserve()
        self._file.append(encode_line(header))

    def write(self, lines: bytes) -> None:
        """Append records; raises SinkError where the disk is full, and the file stays whole."""
        self._file.append(lines)

    def close(self, footer: RunFooter) -> None:
        """Write the footer, beside the file where it does not fit; raises SinkError if it fits nowhere."""
        line = encode_line(footer)
        (self._run_dir / RESERVE_FILE).unlink(missing_ok=True)
        try:
            self._file.append(line)
            self._file.sync()
        except SinkError:
            with LineFile(self._run_dir / FOOTER_FILE, new=True) as beside:
                beside.append(line)
        finally:
            self._file.close()

    def _reserve(self) -> None:
        with (self._run_dir / RESERVE_FILE).open("wb") as file:
            try:
                file.write(bytes(RESERVE_BYTES))
            except OSError as error:
                raise SinkError(f"cannot write {self._run_dir}: {error.strerror}") from None


def check_directory(directory: Path, key: str = "out") -> None:
    """Make it if need be, and a file in it; raises ConfigError where nothing could be written there.

    `key` is the setting that names it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return
    except OSError as error:
        raise ConfigError(f"{key}: cannot write to {directory}: {error.strerror}") from None


def check_file(path: Path, key: str) -> None:
    """Raises ConfigError where this file could not be written; it is not touched."""
    if path.is_dir():
        raise ConfigError(f"{key}: expected a file, {path} is a directory")
    check_directory(path.parent, key)


def lines_of_run(run_dir: Path) -> Iterator[bytes]:
    """Every line of a run as written, a cut last one included; raises GlmLocustError without a run."""
    try:
        with (run_dir / RUN_FILE).open("rb") as file:
            yield from file
    except OSError as error:
        raise GlmLocustError(f"cannot read {run_dir / RUN_FILE}: {error.strerror}") from None
    beside = run_dir / FOOTER_FILE
    if beside.exists():
        yield from beside.read_bytes().splitlines(keepends=True)
