"""RequestRecord: what is known of one request, as instants and counts, never as derived values."""

import hashlib
from enum import StrEnum

import msgspec


class PathId(StrEnum):
    """The ways to the model that we know by name; other paths are any short label."""

    API = "api"
    WEB = "web"
    WEB_JUPYTER = "web-jupyter"


class Phase(StrEnum):
    """Part of the run; only MEASURE enters statistics."""

    WARMUP = "warmup"
    MEASURE = "measure"
    DRAIN = "drain"


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ErrorKind(StrEnum):
    """Why a request did not end well, by whose fault; a closed set, so it may become a label."""

    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT_FIRST_OUTPUT = "timeout_first_output"
    TIMEOUT_STALL = "timeout_stall"
    TIMEOUT_TOTAL = "timeout_total"
    REJECTED = "rejected"
    HTTP_STATUS = "http_status"
    SERVER_ERROR = "server_error"
    PROTOCOL = "protocol"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    WRONG_ANSWER = "wrong_answer"
    SESSION_LOST = "session_lost"
    """A page forgot a user who had asked before and was thinking: history and files are gone."""
    RUN_ENDED = "run_ended"


class LagKind(StrEnum):
    """Where the generator lag comes from."""

    KERNEL = "kernel"
    NONE = "none"


class TokenSource(StrEnum):
    """Where the token counts come from."""

    USAGE = "usage"
    NONE = "none"


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="request"):
    """One question by one simulated user until its answer was complete.

    Instants are integers in ns since the Unix epoch, all read from one clock of the worker's
    process (`perf_counter_ns` shifted by an anchor read once). None means: never happened.
    """

    run_id: str
    worker_id: str
    seq: int
    """1, 2, 3, ... within (run_id, worker_id); a gap is a lost record."""
    path: str
    task: str
    phase: Phase
    block: int | None = None
    """Number of the block of the comparison's plan, from 0."""
    level: int | None = None
    """Planned number of concurrent users over all workers."""
    prompt_id: str
    """`digest()` of the question's text: joins this record to a server's own log."""
    images: int = 0
    image_pixels: int = 0
    image_bytes: int = 0
    """Size of the image files themselves, before base64 or multipart."""
    scheduled_ns: int
    sent_ns: int | None = None
    submitted_ns: int | None = None
    accepted_ns: int | None = None
    """API: the response head arrived. Page: the script run of this question started."""
    first_token_ns: int | None = None
    first_output_ns: int | None = None
    last_output_ns: int | None = None
    finished_ns: int
    first_token_lag_us: int | None = None
    """Python's read minus kernel arrival, at the read that brought the first token."""
    lag_kind: LagKind = LagKind.NONE
    output_gaps_us: tuple[int, ...] = ()
    """Gaps between consecutive text deltas, reasoning or answer."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    output_chars: int = 0
    """Characters of the answer, reasoning excluded."""
    bytes_out: int = 0
    bytes_in: int = 0
    image_bytes_out: int = 0
    """Bytes written to carry the images: base64 data URLs, or multipart bodies."""
    token_source: TokenSource = TokenSource.NONE
    in_flight_at_send: int | None = None
    """Requests of the same worker in flight when this one was sent, itself included."""
    streamed: bool = True
    """False: the answer came as one JSON body although a stream was asked for."""
    outcome: Outcome
    error_kind: ErrorKind | None = None
    error_detail: str | None = None
    http_status: int | None = None
    upstream_id: str | None = None
    """The server's own id of the answer."""
    answer_digest: str | None = None


def digest(text: str) -> str:
    """First 16 hex digits of the SHA-256 of `text` without surrounding white space."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]
