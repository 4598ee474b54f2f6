"""One request, from signals to the frozen record, and the lines of `run.jsonl`."""

from glm_locust.records.codec import (
    CODEC_VERSION,
    RunFooter,
    RunHeader,
    decode_line,
    encode_line,
)
from glm_locust.records.measurement import Measurement
from glm_locust.records.record import (
    ErrorKind,
    LagKind,
    Outcome,
    PathId,
    Phase,
    RequestRecord,
    TokenSource,
    digest,
)
from glm_locust.records.signals import Accepted, Ended, Output, Signal, TextKind, Usage

__all__ = [
    "CODEC_VERSION",
    "Accepted",
    "Ended",
    "ErrorKind",
    "LagKind",
    "Measurement",
    "Outcome",
    "Output",
    "PathId",
    "Phase",
    "RequestRecord",
    "RunFooter",
    "RunHeader",
    "Signal",
    "TextKind",
    "TokenSource",
    "Usage",
    "decode_line",
    "digest",
    "encode_line",
]
