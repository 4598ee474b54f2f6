"""Instants of a record follow from the signals by the definitions of TTFT, TTFO and ITL."""

import pytest

from glm_locust.errors import LocalProtocolError
from glm_locust.records import (
    Accepted,
    Ended,
    ErrorKind,
    LagKind,
    Measurement,
    Outcome,
    Output,
    Phase,
    RequestRecord,
    TextKind,
    TokenSource,
    Usage,
    digest,
)

ANSWER = TextKind.ANSWER
REASONING = TextKind.REASONING


def measurement() -> Measurement:
    return Measurement(path="api", task="ocr", phase=Phase.MEASURE, prompt_id="p", scheduled_ns=100)


def seal(m: Measurement) -> RequestRecord:
    return m.seal(run_id="r", worker_id="w", seq=1)


def test_reasoning_counts_for_the_first_token_and_not_for_the_first_output() -> None:
    m = measurement()
    m.submitted(1_000)
    m.signal(Accepted(200, "id-1"), 2_000)
    m.signal(Output("reasoning", REASONING, 3), 5_000, 7)
    m.signal(Output("reasoning", REASONING, 3), 9_000, 8)
    m.signal(Output("answer", ANSWER, 4), 20_000, 9)
    m.signal(Usage(352, 3), 21_000)
    m.signal(Ended(Outcome.OK, answer="answer", text="four"), 22_000)
    r = seal(m)
    assert (r.sent_ns, r.submitted_ns, r.accepted_ns) == (1_000, 1_000, 2_000)
    assert (r.first_token_ns, r.first_output_ns, r.last_output_ns) == (5_000, 20_000, 20_000)
    assert r.output_gaps_us == (4, 11)
    assert (r.first_token_lag_us, r.lag_kind) == (7, LagKind.KERNEL)
    assert (r.prompt_tokens, r.output_tokens, r.token_source) == (352, 3, TokenSource.USAGE)
    assert (r.output_chars, r.answer_digest) == (4, digest("four"))
    assert (r.upstream_id, r.http_status) == ("id-1", 200)


def test_only_the_chosen_candidate_of_a_page_is_timed() -> None:
    m = measurement()
    m.submitted(1_000)
    m.signal(Output("thinking-placeholder", ANSWER, 9), 2_000)
    m.signal(Output("sidebar", ANSWER, 2), 3_000)
    m.signal(Output("answer-text", ANSWER, 5), 7_000)
    m.signal(Output("answer-text", ANSWER, 5), 9_000)
    assert m.provisional_first_token_ns == 2_000
    m.signal(Ended(Outcome.OK, answer="answer-text", text="0123456789"), 10_000)
    r = seal(m)
    assert (r.first_token_ns, r.first_output_ns, r.last_output_ns) == (7_000, 7_000, 9_000)
    assert (r.output_chars, r.output_gaps_us) == (10, (2,))
    assert (r.lag_kind, r.first_token_lag_us) == (LagKind.NONE, None)


def test_an_answer_without_visible_text_has_no_first_token() -> None:
    m = measurement()
    m.submitted(1_000)
    m.signal(Usage(10, 1), 2_000)
    m.signal(Ended(Outcome.OK, answer="answer"), 2_000)
    r = seal(m)
    assert (r.first_token_ns, r.first_output_ns, r.last_output_ns) == (None, None, None)
    assert (r.outcome, r.answer_digest) == (Outcome.OK, None)


def test_what_broke_off_keeps_what_had_arrived() -> None:
    m = measurement()
    m.submitted(1_000)
    m.signal(Output("answer", ANSWER, 2), 5_000)
    m.fail(ErrorKind.TIMEOUT_STALL, "no text for 60 s", 9_000)
    m.signal(Ended(Outcome.OK, answer="answer"), 10_000)
    r = seal(m)
    assert (r.outcome, r.error_kind) == (Outcome.FAILED, ErrorKind.TIMEOUT_STALL)
    assert (r.first_token_ns, r.finished_ns) == (5_000, 9_000), "the first end is the end"


def test_a_page_that_broke_off_with_several_texts_names_no_answer() -> None:
    m = measurement()
    m.submitted(1_000)
    m.signal(Output("a", ANSWER, 2), 5_000)
    m.signal(Output("b", ANSWER, 2), 6_000)
    m.fail(ErrorKind.CONNECT, "connection lost", 9_000)
    assert seal(m).first_token_ns is None


def test_upload_comes_before_submission() -> None:
    m = measurement()
    m.sent(1_000)
    m.submitted(4_000)
    m.cancel(5_000)
    r = seal(m)
    assert (r.sent_ns, r.submitted_ns) == (1_000, 4_000)
    assert (r.outcome, r.error_kind) == (Outcome.CANCELLED, ErrorKind.RUN_ENDED)


def test_long_free_text_is_cut() -> None:
    m = measurement()
    m.fail(ErrorKind.SERVER_ERROR, "x" * 10_000, 2)
    detail = seal(m).error_detail
    assert detail is not None
    assert len(detail) == 500


def test_sealing_before_the_end_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="before its end"):
        seal(measurement())
