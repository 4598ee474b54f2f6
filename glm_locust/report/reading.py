"""Reads a run directory: `run.jsonl`, and `truth.jsonl` where a testbed left one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from glm_locust.errors import ConfigError, GlmLocustError
from glm_locust.layers import TruthLine, decode_truth_line
from glm_locust.records import CODEC_VERSION, RequestRecord, RunFooter, RunHeader, decode_line
from glm_locust.sinks import FOOTER_FILE, RUN_FILE

TRUTH_FILE = "truth.jsonl"


@dataclass(slots=True)
class RunEnds:
    """What stands around the records of a run, and what could not be read."""

    header: RunHeader
    footer: RunFooter | None = None
    """None: the run never came to its end."""
    unreadable: list[str] = field(default_factory=list)
    """One line of text per line that was skipped; the first few only."""
    unreadable_lines: int = 0
    foreign: int = 0
    """Records of another run, which were left out."""
    cut_off: bool = False
    """The file ends in the middle of a line, as after a crash or on a full disk."""


UNREADABLE_SHOWN = 5


def read_run(run_dir: Path, admit: Callable[[RequestRecord], None]) -> RunEnds:
    """Hand every record of the run to `admit`; raises ConfigError if this is no run.

    A last line without its end is skipped and noted; so are bad lines in between.
    """
    path = _run_file(run_dir)
    try:
        with path.open("rb") as file:
            ends = RunEnds(_header(path, file.readline()))
            for number, data in enumerate(file, start=2):
                if data.strip():
                    _take(ends, number, data, admit)
        beside = run_dir / FOOTER_FILE
        if ends.footer is None and beside.exists():
            # The disk was too full for the footer where it belongs.
            for data in beside.read_bytes().splitlines(keepends=True):
                _take(ends, 0, data, admit)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return ends


def read_header(run_dir: Path) -> RunHeader:
    """The header alone; raises ConfigError if this is no run."""
    path = _run_file(run_dir)
    try:
        with path.open("rb") as file:
            return _header(path, file.readline())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def read_truth(run_dir: Path) -> tuple[list[TruthLine], int] | None:
    """The server's own log and how many of its lines were unreadable; None where there is no log."""
    path = run_dir / TRUTH_FILE
    lines: list[TruthLine] = []
    bad = 0
    try:
        with path.open("rb") as file:
            for data in file:
                try:
                    lines.append(decode_truth_line(data))
                except GlmLocustError:
                    bad += bool(data.strip())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return lines, bad


def _run_file(run_dir: Path) -> Path:
    if not run_dir.is_dir():
        raise ConfigError(f"{run_dir}: expected a run directory, found {_what(run_dir)}")
    path = run_dir / RUN_FILE
    if not path.exists():
        raise ConfigError(f"{run_dir}: not a run directory, it holds no {RUN_FILE}")
    return path


def _what(path: Path) -> str:
    return "a file" if path.exists() else "nothing of that name"


def _header(path: Path, data: bytes) -> RunHeader:
    try:
        header = decode_line(data)
    except GlmLocustError:
        header = None
    if not isinstance(header, RunHeader):
        raise ConfigError(f"{path}: line 1: expected the header of a run")
    if header.codec_version > CODEC_VERSION:
        raise ConfigError(
            f"{path}: line 1: written by a later version of glm-locust "
            f"(codec {header.codec_version}, this one reads up to {CODEC_VERSION})"
        )
    return header


def _take(ends: RunEnds, number: int, data: bytes, admit: Callable[[RequestRecord], None]) -> None:
    try:
        line = decode_line(data)
    except GlmLocustError as error:
        ends.unreadable_lines += 1
        # Every line is written with its newline in one piece; one without was cut off.
        ends.cut_off = not data.endswith(b"\n")
        if len(ends.unreadable) < UNREADABLE_SHOWN:
            ends.unreadable.append(f"line {number}: {error}")
        return
    match line:
        case RequestRecord(run_id=run_id) if run_id != ends.header.run_id:
            ends.foreign += 1
        case RequestRecord():
            admit(line)
        case RunFooter():
            ends.footer = line
        case RunHeader():
            ends.unreadable_lines += 1
            if len(ends.unreadable) < UNREADABLE_SHOWN:
                ends.unreadable.append(f"line {number}: a second header")
