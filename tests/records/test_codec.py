"""Lines of run.jsonl survive the round trip, and a broken line says what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.errors import GlmLocustError
from glm_locust.records import (
    ErrorKind,
    LagKind,
    Outcome,
    Phase,
    RequestRecord,
    RunFooter,
    RunHeader,
    TokenSource,
    decode_line,
    encode_line,
)

instants = st.integers(min_value=0, max_value=2**62)
maybe_instant = st.none() | instants
counts = st.integers(min_value=0, max_value=2**53)
maybe_count = st.none() | counts
# Text of servers and pages is untrusted: any character, lone surrogates excepted (not UTF-8).
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
maybe_text = st.none() | texts

records = st.builds(
    RequestRecord,
    run_id=texts,
    worker_id=texts,
    seq=counts,
    path=texts,
    task=texts,
    phase=st.sampled_from(Phase),
    block=maybe_count,
    level=maybe_count,
    prompt_id=texts,
    images=counts,
    scheduled_ns=instants,
    sent_ns=maybe_instant,
    submitted_ns=maybe_instant,
    accepted_ns=maybe_instant,
    first_token_ns=maybe_instant,
    first_output_ns=maybe_instant,
    last_output_ns=maybe_instant,
    finished_ns=instants,
    first_token_lag_us=maybe_count,
    lag_kind=st.sampled_from(LagKind),
    output_gaps_us=st.lists(counts, max_size=20).map(tuple),
    prompt_tokens=maybe_count,
    output_tokens=maybe_count,
    output_chars=counts,
    bytes_out=counts,
    bytes_in=counts,
    token_source=st.sampled_from(TokenSource),
    in_flight_at_send=maybe_count,
    streamed=st.booleans(),
    outcome=st.sampled_from(Outcome),
    error_kind=st.none() | st.sampled_from(ErrorKind),
    error_detail=maybe_text,
    http_status=maybe_count,
    upstream_id=maybe_text,
    answer_digest=maybe_text,
)
headers = st.builds(
    RunHeader,
    run_id=texts,
    started_ns=instants,
    command=st.lists(texts).map(tuple),
    seed=maybe_count,
    workload=st.dictionaries(texts, texts | counts | st.booleans()),
)
footers = st.builds(
    RunFooter,
    run_id=texts,
    ended_ns=instants,
    reason=texts,
    partial=st.booleans(),
    counts=st.dictionaries(texts, counts),
    notes=st.lists(texts).map(tuple),
)


@given(records | headers | footers)
def test_every_line_is_read_back_as_it_was_written(line: RequestRecord | RunHeader | RunFooter) -> None:
    written = encode_line(line)
    assert decode_line(written) == line
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1, "one line, whatever text is in it"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"", "not a line of a run"),
        (b"{", "not a line of a run"),
        (b'{"line": "request", "run_id": 7}', "run_id"),
        (b'{"line": "postcard"}', "postcard"),
        (b'{"line": "footer", "run_id": "r", "ended_ns": "late", "reason": "x"}', "ended_ns"),
        (b"\xff\xfe", "not a line of a run"),
    ],
)
def test_a_broken_line_says_what_is_wrong(line: bytes, complaint: str) -> None:
    with pytest.raises(GlmLocustError, match=complaint):
        decode_line(line)


def test_a_newer_writers_extra_field_is_ignored() -> None:
    footer = RunFooter(run_id="r", ended_ns=1, reason="completed")
    assert decode_line(encode_line(footer).replace(b'"run_id"', b'"colour":"red","run_id"')) == footer
