"""The lines of `run.jsonl`: a header, one request a line, a footer; no footer means: partial."""

from typing import Any

import msgspec

from glm_locust.errors import GlmLocustError
from glm_locust.records.record import RequestRecord

CODEC_VERSION = 1
"""Raised when a reader of the old version would misread the new lines."""


class RunHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="header"):
    """What the run was to be; written before the first request."""

    codec_version: int = CODEC_VERSION
    run_id: str
    started_ns: int
    command: tuple[str, ...]
    """The command line as typed; secrets are never on it."""
    seed: int | None = None
    workload: dict[str, Any] = {}
    """Tasks, languages, repeats, levels, design, ...: all that must agree for two runs to compare."""
    targets: dict[str, Any] = {}
    """Per path: URL, model, what answers there; never a secret."""
    slo: tuple[str, ...] = ()
    """Objectives of the run, as typed; `report` judges by them again."""
    versions: dict[str, str] = {}
    machine: dict[str, Any] = {}


class RunFooter(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="footer"):
    """How the run ended."""

    run_id: str
    ended_ns: int
    reason: str
    """completed | run_time | interrupted | stopped | disk_full | crashed"""
    partial: bool = False
    """True when the plan was not finished."""
    counts: dict[str, int] = {}
    """ok, failed, cancelled: every record of the run, warm-up included."""
    workers: dict[str, dict[str, Any]] = {}
    """Per worker: records (highest seq), lost (bool), host, clock anchor, lag and CPU figures."""
    arrivals: dict[str, int] | None = None
    """Open loop: started, and dropped because nobody was free. None: closed loop, or nobody knows."""
    locust_requests: int | None = None
    """What Locust's own table counts at the end: equal to ok + failed."""
    notes: tuple[str, ...] = ()


RunLine = RunHeader | RequestRecord | RunFooter

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(RunLine)


def encode_line(line: RunLine) -> bytes:
    """One line of `run.jsonl`, its newline included."""
    return _encoder.encode(line) + b"\n"


def decode_line(data: bytes | str) -> RunLine:
    """Read one line back; raises GlmLocustError with what is wrong with it."""
    try:
        line: RunLine = _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise GlmLocustError(f"not a line of a run: {error}") from None
    return line
