"""Where the time to first token goes: the server's own log of a request beside the client's record.

Only layers between two instants that somebody read are reported; the rest is absent, not zero. The
server's instants must be of the client's machine's clock (the testbed's are).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from glm_locust.errors import GlmLocustError
from glm_locust.records import PathId, RequestRecord

CLOCK_SLACK_NS = 50_000_000
"""By how much the clocks of two processes may disagree when a log line is sought for a record."""

_S_PER_NS = 1e-9


class TruthLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request in the server's own log; instants in ns since the epoch, None: never happened."""

    prompt_id: str | None = None
    upstream_id: str | None = None
    received_ns: int | None
    """The whole request, body included, was read."""
    received_head_ns: int | None = None
    first_token_ns: int | None = None
    """The first generated text was about to be written."""
    finished_ns: int | None = None
    outcome: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None


_decoder = msgspec.json.Decoder(TruthLine)


def decode_truth_line(data: bytes | str) -> TruthLine:
    """Read one line of the log; raises GlmLocustError with what is wrong with it."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise GlmLocustError(f"not a line of a truth log: {error}") from None


class Layer(StrEnum):
    """A stretch between two instants, in the order a request passes them."""

    SEND_LAG = "send_lag"
    """Scheduled to sent: the load generator itself."""
    UPLOAD = "upload"
    """Page: sent to submitted. Before the TTFT begins, so it stands beside the other layers."""
    NETWORK_IN = "network_in"
    """API: submitted to received, images included."""
    STREAMLIT_IN = "streamlit_in"
    """Page: submitted to received by the server; a Jupyter hop included where there is one."""
    SCRIPT_START = "script_start"
    """Part of STREAMLIT_IN: submitted to the start of the script run."""
    SCRIPT_TO_SERVER = "script_to_server"
    """Part of STREAMLIT_IN: from the start of the script run on."""
    MODEL = "model"
    """Received to just before the first token was written."""
    NETWORK_OUT = "network_out"
    """API: from just before the first token was written until it was read."""
    STREAMLIT_OUT = "streamlit_out"
    """Page: from just before the first token was written until it was read, a Jupyter hop included."""


STACK = (
    Layer.SEND_LAG,
    Layer.NETWORK_IN,
    Layer.STREAMLIT_IN,
    Layer.MODEL,
    Layer.NETWORK_OUT,
    Layer.STREAMLIT_OUT,
)
"""The layers that add up to a TTFT; the others are parts of these, or come before."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Which records found their line in the log."""

    pairs: tuple[tuple[RequestRecord, TruthLine], ...]
    unmatched: int
    """Records without any line."""
    ambiguous: int
    """Records with several possible lines and no id to tell; left out rather than guessed."""


def join(records: Iterable[RequestRecord], truth: Sequence[TruthLine]) -> Joined:
    """Give each record the server's line of the same request.

    By the server's own id where the record has it; else by the question's id and time: the server
    received it between submission and end. No line is given to two records.
    """
    by_id = _unique_by_id(truth)
    by_prompt: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, line in enumerate(truth):
        if line.prompt_id is not None and line.received_ns is not None:
            by_prompt[line.prompt_id].append((line.received_ns, place))
    for lines in by_prompt.values():
        lines.sort()
    candidates: list[tuple[RequestRecord, list[int]]] = []
    claims: dict[int, int] = defaultdict(int)
    for record in records:
        places = _candidates(record, by_id, by_prompt)
        candidates.append((record, places))
        for place in places:
            claims[place] += 1
    pairs, unmatched, ambiguous = [], 0, 0
    for record, places in candidates:
        if not places:
            unmatched += 1
        elif len(places) > 1 or claims[places[0]] > 1:
            ambiguous += 1
        else:
            pairs.append((record, truth[places[0]]))
    return Joined(tuple(pairs), unmatched, ambiguous)


def _unique_by_id(truth: Sequence[TruthLine]) -> dict[str, int]:
    places: dict[str, int] = {}
    twice = set()
    for place, line in enumerate(truth):
        if line.upstream_id is not None:
            if line.upstream_id in places:
                twice.add(line.upstream_id)
            places[line.upstream_id] = place
    return {name: place for name, place in places.items() if name not in twice}


def _candidates(
    record: RequestRecord, by_id: dict[str, int], by_prompt: dict[str, list[tuple[int, int]]]
) -> list[int]:
    if record.upstream_id is not None and record.upstream_id in by_id:
        return [by_id[record.upstream_id]]
    if record.submitted_ns is None:
        return []
    lines = by_prompt.get(record.prompt_id, [])
    first = bisect_left(lines, (record.submitted_ns - CLOCK_SLACK_NS, -1))
    last = bisect_left(lines, (record.finished_ns + CLOCK_SLACK_NS + 1, -1))
    return [place for _, place in lines[first:last]]


def durations_s(record: RequestRecord, line: TruthLine) -> dict[Layer, float]:
    """The layers of one request, in seconds; those of STACK add up to its TTFT."""
    sent, submitted, received = record.sent_ns, record.submitted_ns, line.received_ns
    spans: list[tuple[Layer, int | None, int | None]] = [
        (Layer.SEND_LAG, record.scheduled_ns, sent),
        (Layer.MODEL, received, line.first_token_ns),
    ]
    if record.path == PathId.API:
        spans += [
            (Layer.NETWORK_IN, submitted, received),
            (Layer.NETWORK_OUT, line.first_token_ns, record.first_token_ns),
        ]
    else:
        spans += [
            (Layer.UPLOAD, sent, submitted),
            (Layer.STREAMLIT_IN, submitted, received),
            (Layer.SCRIPT_START, submitted, record.accepted_ns),
            (Layer.SCRIPT_TO_SERVER, record.accepted_ns, received),
            (Layer.STREAMLIT_OUT, line.first_token_ns, record.first_token_ns),
        ]
    return {
        layer: (end - start) * _S_PER_NS
        for layer, start, end in spans
        if start is not None and end is not None
    }
