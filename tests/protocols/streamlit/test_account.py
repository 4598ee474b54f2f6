"""Rules that tell what decided, the account of a question, and runs that were cut short."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.protocols.session import SendMessage
from glm_locust.protocols.streamlit import PageError, StreamlitSession, WidgetQueries, WidgetQuery
from glm_locust.protocols.streamlit.account import Account, account_of
from glm_locust.protocols.streamlit.rule import Rule
from glm_locust.protocols.streamlit.schema import BackMsg
from glm_locust.records import Ended, ErrorKind, Outcome, Signal
from glm_locust.workload.prompt import Prompt
from tests.protocols.streamlit.messages import block, element, file_urls, finished, markdown, said, started

QUESTION = Prompt("test", "why?")
LENGTH_THEN_ALPHABET: Rule[str] = Rule((("is shorter", len), ("comes first", str)))


@given(st.lists(st.text(alphabet="ab", max_size=3), max_size=6))
def test_a_rule_orders_like_its_keys_and_says_what_decided(words: list[str]) -> None:
    ordered = LENGTH_THEN_ALPHABET.order(words)
    assert ordered == sorted(words, key=lambda word: (len(word), word))
    assert LENGTH_THEN_ALPHABET.best(words) == (ordered[0] if ordered else None)
    for better, worse in itertools.pairwise(ordered):
        reason = LENGTH_THEN_ALPHABET.apart(better, worse)
        assert reason == (
            "" if better == worse else "is shorter" if len(better) < len(worse) else "comes first"
        )


def opened(*widgets: bytes, **options: Any) -> StreamlitSession:
    session = StreamlitSession("http://page.example/", **options)
    session.open()
    for message in (started(), *widgets, finished()):
        session.receive(message)
    assert session.idle
    return session


def asked(session: StreamlitSession, *messages: bytes) -> list[Signal | Any]:
    (command,) = session.ask(QUESTION)
    assert isinstance(command, SendMessage)
    return [result for message in messages for result in session.receive(message)]


def used(account: Account) -> dict[str, tuple[tuple[str, ...], str]]:
    return {widget.label: (widget.used_for, widget.why) for widget in account.widgets}


AREA = element("0.0", "text_area", id="a", label="Question")
NAME = element("0.1", "text_input", id="b", label="Your name")
SEND = element("0.2", "button", id="c", label="Send")
CLEAR = element("0.3", "button", id="d", label="Clear")


def test_each_widget_with_the_rule_that_chose_it() -> None:
    session = opened(AREA, NAME, SEND, CLEAR)
    asked(session, started(), AREA, NAME, SEND, CLEAR, *said("0.4", "assistant", "because"), finished())
    assert used(account_of(session)) == {
        "Question": (("prompt",), "its label speaks more of a question"),
        "Your name": ((), ""),
        "Send": (("submit",), "its label speaks more of sending"),
        "Clear": ((), ""),
    }


def test_a_named_widget_is_used_because_it_was_named() -> None:
    queries = WidgetQueries(prompt=WidgetQuery(label="Your name"))
    session = opened(AREA, NAME, SEND, queries=queries)
    asked(session, started(), finished())
    assert used(account_of(session))["Your name"] == (("prompt",), "named by label 'Your name'")


def test_candidates_with_what_set_them_apart() -> None:
    session = opened(AREA, SEND)
    asked(
        session,
        *(started(), AREA, SEND, markdown("0.4", "A note of some length beside it"), markdown("0.5", "be")),
        *(markdown("0.5", "because"), finished()),
    )
    answer, note = account_of(session).candidates
    assert (answer.chosen, answer.text, answer.updates, answer.why) == (True, "because", 2, "grew")
    assert (note.chosen, note.updates, note.why) == (False, 1, "the answer grew")


def test_before_any_question_there_is_only_the_page() -> None:
    account = account_of(opened(AREA, SEND))
    assert account.version == (1, 67, 0)
    assert [widget.label for widget in account.widgets] == ["Question", "Send"]
    assert account.candidates == ()


class TestRunsCutShort:
    def test_what_had_come_of_the_answer_is_truncated(self) -> None:
        session = opened(AREA, SEND)
        (*_, ended) = asked(
            session,
            started(),
            AREA,
            SEND,
            markdown("0.4", "be"),
            markdown("0.4", "beca"),
            started(),
            AREA,
            SEND,
            finished(),
        )
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.kind) == (Outcome.FAILED, ErrorKind.TRUNCATED)
        assert ended.text == "beca"

    def test_an_answer_that_the_other_run_shows_is_one(self) -> None:
        session = opened(AREA, SEND)
        (*_, ended) = asked(
            session,
            *(started(), AREA, SEND, markdown("0.4", "be"), markdown("0.4", "because")),
            *(started(), AREA, SEND, block("0.4", "chat_message", name="assistant")),
            *(markdown("0.4.0", "because"), finished()),
        )
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.text) == (Outcome.OK, "because")

    def test_a_rerun_that_the_script_asked_for_cuts_nothing_short(self) -> None:
        session = opened(AREA, SEND)
        (*_, ended) = asked(
            session,
            *(started(), AREA, SEND, markdown("0.4", "be"), markdown("0.4", "because"), finished(2)),
            *(started(), AREA, SEND, markdown("0.5", "because"), finished()),
        )
        assert isinstance(ended, Ended)
        assert (ended.outcome, ended.text) == (Outcome.OK, "because")


def test_no_question_goes_to_another_page_than_the_one_asked_for() -> None:
    session = opened(AREA, SEND, page="Nowhere")
    with pytest.raises(PageError, match="no page 'Nowhere'"):
        session.require(0)
    with pytest.raises(PageError, match="no page 'Nowhere'"):
        session.ask(QUESTION)


def test_what_is_left_over_of_a_lost_connection_is_not_the_page() -> None:
    session = opened(AREA, SEND)
    asked(session, started(), AREA)
    session.eof()
    (probe,) = session.open()
    assert isinstance(probe, SendMessage)
    assert sent(probe).file_urls_request.request_id
    for left_over in (SEND, finished(), started(), AREA, finished()):
        assert session.receive(left_over) == []
    assert not session.idle
    (again,) = session.receive(file_urls(sent(probe).file_urls_request.request_id, "none"))
    assert isinstance(again, SendMessage)
    assert sent(again).WhichOneof("type") == "rerun_script"
    for message in (started(), AREA, SEND, finished()):
        session.receive(message)
    assert session.idle
    assert [widget.label for widget in session.widgets] == ["Question", "Send"]


def sent(command: SendMessage) -> Any:
    message = BackMsg()
    message.ParseFromString(command.data)
    return message
