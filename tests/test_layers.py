"""Joining records to the server's log, and the layers of a request worked out by hand."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.errors import GlmLocustError
from glm_locust.layers import (
    CLOCK_SLACK_NS,
    STACK,
    Layer,
    TruthLine,
    decode_truth_line,
    durations_s,
    join,
)
from glm_locust.metrics import METRICS
from glm_locust.records import Outcome, Phase, RequestRecord

MS = 1_000_000
T = 1_700_000_000_000 * MS


def record(path: str = "web", start_ms: int = 0, **fields: Any) -> RequestRecord:
    at = T + start_ms * MS
    known: dict[str, Any] = {
        "run_id": "r",
        "worker_id": "w",
        "seq": 1,
        "path": path,
        "task": "ocr",
        "phase": Phase.MEASURE,
        "prompt_id": "p",
        "scheduled_ns": at,
        "sent_ns": at + 2 * MS,
        "submitted_ns": at + 52 * MS,
        "accepted_ns": at + 60 * MS,
        "first_token_ns": at + 300 * MS,
        "first_output_ns": at + 300 * MS,
        "last_output_ns": at + 400 * MS,
        "finished_ns": at + 410 * MS,
        "outcome": Outcome.OK,
    }
    return RequestRecord(**(known | fields))


def line(start_ms: int = 0, **fields: Any) -> TruthLine:
    at = T + start_ms * MS
    known: dict[str, Any] = {"prompt_id": "p", "received_ns": at + 90 * MS, "first_token_ns": at + 250 * MS}
    return TruthLine(**(known | fields))


def test_layers_of_a_page_by_hand() -> None:
    assert durations_s(record(), line()) == pytest.approx(
        {
            Layer.SEND_LAG: 0.002,
            Layer.UPLOAD: 0.050,
            Layer.STREAMLIT_IN: 0.038,
            Layer.SCRIPT_START: 0.008,
            Layer.SCRIPT_TO_SERVER: 0.030,
            Layer.MODEL: 0.160,
            Layer.STREAMLIT_OUT: 0.050,
        }
    )


def test_layers_of_the_api_by_hand() -> None:
    api = record("api", submitted_ns=T + 2 * MS)
    assert durations_s(api, line()) == pytest.approx(
        {Layer.SEND_LAG: 0.002, Layer.NETWORK_IN: 0.088, Layer.MODEL: 0.160, Layer.NETWORK_OUT: 0.050}
    )


def test_what_nobody_read_is_absent_and_not_zero() -> None:
    got = durations_s(record(accepted_ns=None), line(first_token_ns=None))
    assert set(got) == {Layer.SEND_LAG, Layer.UPLOAD, Layer.STREAMLIT_IN}


@given(
    st.lists(st.integers(0, 10**9), min_size=6, max_size=6), st.sampled_from(["api", "web", "web-jupyter"])
)
def test_the_stacked_layers_add_up_to_the_ttft(steps: list[int], path: str) -> None:
    instants = [T]
    for step in steps:
        instants.append(instants[-1] + step)
    scheduled, sent, submitted, received, written, first, end = instants
    got = durations_s(
        record(
            path,
            scheduled_ns=scheduled,
            sent_ns=sent,
            submitted_ns=submitted,
            accepted_ns=None,
            first_token_ns=first,
            finished_ns=end,
        ),
        TruthLine(prompt_id="p", received_ns=received, first_token_ns=written),
    )
    asked = record(
        path,
        scheduled_ns=scheduled,
        sent_ns=sent,
        submitted_ns=submitted,
        first_token_ns=first,
        finished_ns=end,
    )
    stacked = sum(seconds for layer, seconds in got.items() if layer in STACK)
    assert stacked == pytest.approx(METRICS["ttft_s"].formula(asked)[0], abs=1e-6)


def test_join_by_the_servers_own_id_even_where_the_question_was_asked_twice() -> None:
    api = record("api", upstream_id="b")
    joined = join([api], [line(upstream_id="a"), line(1, upstream_id="b")])
    assert [(r.upstream_id, t.upstream_id) for r, t in joined.pairs] == [("b", "b")]


def test_join_by_question_and_time() -> None:
    asked = [record(start_ms=0), record(start_ms=1000), record(start_ms=2000, prompt_id="other")]
    log = [line(1000), line(0), line(2000, prompt_id="other")]
    joined = join(asked, log)
    assert (joined.unmatched, joined.ambiguous) == (0, 0)
    assert [t.received_ns for _, t in joined.pairs] == [
        log[1].received_ns,
        log[0].received_ns,
        log[2].received_ns,
    ]


JOIN_CASES = {
    "a line from before the question is another request's": ([record(start_ms=1000)], [line(0)], 1, 0),
    "a line from after the end is another request's": ([record()], [line(5000)], 1, 0),
    "clocks may differ by the slack": (
        [record()],
        [line(received_ns=record().submitted_ns - CLOCK_SLACK_NS)],  # type: ignore[operator]
        0,
        0,
    ),
    "and by no more": (
        [record()],
        [line(received_ns=record().submitted_ns - CLOCK_SLACK_NS - 1)],  # type: ignore[operator]
        1,
        0,
    ),
    "two lines within one request: nobody can tell": ([record()], [line(0), line(5)], 0, 1),
    "two requests around one line: nobody can tell": ([record(), record(start_ms=5)], [line()], 0, 2),
    "another question": ([record()], [line(prompt_id="q")], 1, 0),
    "a server that logs no question": ([record()], [line(prompt_id=None)], 1, 0),
    "never submitted": ([record(submitted_ns=None)], [line()], 1, 0),
    "an id that the log has twice falls back to time": (
        [record("api", upstream_id="a")],
        [line(0, upstream_id="a"), line(9000, upstream_id="a")],
        0,
        0,
    ),
    "no log": ([record()], [], 1, 0),
    "no records": ([], [line()], 0, 0),
}


@pytest.mark.parametrize("case", JOIN_CASES)
def test_join(case: str) -> None:
    records, log, unmatched, ambiguous = JOIN_CASES[case]
    joined = join(records, log)
    assert (joined.unmatched, joined.ambiguous) == (unmatched, ambiguous)
    assert len(joined.pairs) == len(records) - unmatched - ambiguous


@given(st.integers(1, 12), st.randoms())
def test_requests_with_questions_of_their_own_always_find_their_line(n: int, order: random.Random) -> None:
    asked = [record(start_ms=order.randrange(2000), prompt_id=f"p{i}") for i in range(n)]
    log = [TruthLine(prompt_id=r.prompt_id, received_ns=r.finished_ns - MS) for r in asked]
    order.shuffle(log)
    joined = join(asked, log)
    assert all(r.prompt_id == t.prompt_id for r, t in joined.pairs)
    assert len(joined.pairs) == n


def test_a_truth_line_as_the_server_writes_it() -> None:
    written = {
        "prompt_id": "p",
        "upstream_id": "chatcmpl-1",
        "received_ns": 5,
        "received_head_ns": 4,
        "first_token_ns": None,
        "finished_ns": 9,
        "outcome": "ok",
        "prompt_tokens": 3,
        "output_tokens": 2,
        "a field of later versions": [1],
    }
    got = decode_truth_line(msgspec.json.encode(written))
    assert (got.received_ns, got.first_token_ns, got.upstream_id) == (5, None, "chatcmpl-1")


@pytest.mark.parametrize("data", [b"{", b"{}", b"[]", b'{"received_ns": "x"}', b"\xff"])
def test_a_bad_truth_line_says_so(data: bytes) -> None:
    with pytest.raises(GlmLocustError, match="not a line of a truth log"):
        decode_truth_line(data)
