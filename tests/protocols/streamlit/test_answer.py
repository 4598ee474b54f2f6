"""Which text is the answer: one row, one kind of page."""

from dataclasses import dataclass, field

import pytest

from glm_locust.protocols.streamlit import AnswerQuery, StreamlitSession
from glm_locust.protocols.streamlit.answer import without_cursor
from glm_locust.records import Ended, ErrorKind, Outcome, Output
from glm_locust.workload.prompt import Prompt
from tests.protocols.streamlit.messages import block, element, finished, markdown, said, started

QUESTION = "What is in the picture?"
CHAT = element("3.0", "chat_input", id="$$ID-" + "0" * 32 + "-None", placeholder="Ask")


@dataclass
class Row:
    """A page before the question, what the question's run sends, and what comes of it."""

    says: str
    run: list[bytes]
    text: str | None
    """The answer; None for a question that stays without one."""
    first: int | None = None
    """Index in `run` of the message that brings its first text."""
    before: list[bytes] = field(default_factory=list)
    kind: ErrorKind | None = None

    def __str__(self) -> str:
        return self.says


def grows(path: str, *texts: str, kind: str = "markdown") -> list[bytes]:
    name = "code_text" if kind == "code" else "body"
    return [element(path, kind, **{name: text}) for text in texts]


ASSISTANT = block("0.1", "chat_message", name="assistant")
ROWS = [
    Row("a stream in a chat message", [ASSISTANT, *grows("0.1.0", "A", "A cat", "A cat.")], "A cat.", 1),
    Row("a cursor is no text", [*grows("0.1", "▌", "A ▌", "A cat ▌", "A cat")], "A cat", 1),
    Row(
        "an HTML cursor neither",
        [*grows("0.1", "<b>▌</b>", "A <b>▌</b>", "A cat <b>▌</b>", "A cat")],
        "A cat",
        1,
    ),
    Row("text growing inside a tag", [*grows("0.1", "<p>A</p>", "<p>A cat</p>")], "<p>A cat</p>", 0),
    Row("one piece", [ASSISTANT, markdown("0.1.0", "A cat.")], "A cat.", 1),
    Row("plain text", grows("0.1", "A", "A cat", kind="text"), "A cat", 0),
    Row("code", grows("0.1", "cat()", "cat()\nmeow()", kind="code"), "cat()\nmeow()", 0),
    Row(
        "a placeholder's first words fall off the front",
        grows("0.1", "Thinking…", "A", "A cat", "A cat."),
        "A cat.",
        1,
    ),
    Row(
        "words that grow by themselves, too, when the answer replaces them",
        grows("0.1", "Thinking.", "Thinking..", "Thinking...", "A cat."),
        "A cat.",
        3,
    ),
    Row(
        "a final change of form is no new answer",
        grows("0.1", "A cat on", "A cat on a mat", "A cat on a mat,", "**A cat on a mat, asleep.**"),
        "**A cat on a mat, asleep.**",
        0,
    ),
    Row(
        "the echo of the question in the user's message",
        [*said("0.1", "user", QUESTION), *said("0.2", "assistant", "A cat.")],
        "A cat.",
        3,
    ),
    Row(
        "the echo without a message around it",
        [markdown("0.1", f"You asked: {QUESTION}"), markdown("0.2", "A cat")],
        "A cat",
        1,
    ),
    Row(
        "an assistant that repeats the question",
        said("0.1", "assistant", f"Echo: {QUESTION}"),
        f"Echo: {QUESTION}",
        1,
    ),
    Row(
        "history is sent again with every run",
        [
            *said("0.1", "user", "before?"),
            *said("0.2", "assistant", "A dog."),
            *said("0.3", "assistant", "A cat."),
        ],
        "A cat.",
        5,
        before=[*said("0.1", "user", "before?"), *said("0.2", "assistant", "A dog.")],
    ),
    Row(
        "history that moved down",
        [
            markdown("0.0", "Here is your chat"),
            *said("0.3", "assistant", "A dog, long ago."),
            *said("0.5", "assistant", "Cat."),
        ],
        "Cat.",
        4,
        before=[markdown("0.0", "Here is your chat"), *said("0.2", "assistant", "A dog, long ago.")],
    ),
    Row(
        "the same answer once more is an answer",
        [*said("0.1", "assistant", "A cat."), *said("0.2", "assistant", "A cat.")],
        "A cat.",
        3,
        before=said("0.1", "assistant", "A cat."),
    ),
    Row(
        "the same answer streamed into the place of the old one",
        grows("0.1", "A", "A c", "A cat."),
        "A cat.",
        0,
        before=[markdown("0.1", "A cat.")],
    ),
    Row(
        "what stands in st.status or an expander is thought, not said",
        [
            block("0.1", "expandable", label="Thinking"),
            *grows("0.1.0", "Let", "Let me", "Let me see"),
            markdown("0.2", "A cat."),
        ],
        "A cat.",
        4,
    ),
    Row(
        "spinner, toast, progress, heading, caption and divider",
        [
            element("0.1", "spinner", text="Running the model, please wait"),
            element("2.0", "toast", body="The model is warm, have patience"),
            element("0.2", "heading", body="What the model has to say about it"),
            element("0.3", "markdown", body="Answered in 3 s, with 20 tokens", element_type=2),
            element("0.4", "markdown", body="---", element_type=5),
            markdown("0.5", "A cat."),
        ],
        "A cat.",
        5,
    ),
    Row(
        "success and info boxes",
        [element("0.1", "alert", body="Done, I believe", format=4), markdown("0.2", "A cat")],
        "A cat",
        1,
    ),
    Row(
        "a counter in the sidebar", [*grows("1.0", "1", "12", "123"), markdown("0.2", "A cat.")], "A cat.", 3
    ),
    Row(
        "growing text before a longer one",
        [markdown("0.1", "Sources: " + "x" * 200), *grows("0.2", "A", "A cat")],
        "A cat",
        1,
    ),
    Row(
        "an answer that goes into a container",
        [block("0.1", "vertical"), markdown("0.1.0", "loading placeholder"), *grows("0.1", "A", "A cat")],
        "A cat",
        2,
    ),
    Row(
        "st.rerun at the end shows it again as history",
        [
            *said("0.1", "user", QUESTION),
            block("0.2", "chat_message", name="assistant"),
            *grows("0.2.1", "A", "A cat."),
            finished(2),
            started(),
            *said("0.1", "user", QUESTION),
            *said("0.2", "assistant", "A cat."),
            CHAT,
        ],
        "A cat.",
        3,
    ),
    Row(
        "st.rerun at the end shows it elsewhere, without cursor and with what had not been sent",
        [
            *said("0.1", "user", QUESTION),
            block("0.2", "chat_message", name="assistant"),
            *grows("0.2.1", "A", "A cat, as far as I can see ▌"),
            finished(2),
            started(),
            *said("0.3", "user", QUESTION),
            *said("0.4", "assistant", "A cat, as far as I can see."),
            CHAT,
        ],
        "A cat, as far as I can see.",
        3,
    ),
    Row(
        "st.rerun at the end shows it elsewhere, without cursor",
        [
            *grows("0.2.1", "A", "A cat ▌"),
            finished(2),
            started(),
            *said("0.4", "assistant", "A cat"),
            CHAT,
        ],
        "A cat",
        0,
    ),
    Row(
        "a heading in bold and a duration around an answer in one piece",
        [
            markdown("0.1", "**Answer:**"),
            markdown("0.2", "Cat."),
            markdown("0.3", "Time taken: 1.25 seconds"),
        ],
        "Cat.",
        1,
    ),
    Row(
        "an answer in a coloured box below its heading",
        [markdown("0.1", "### The summary of it"), element("0.2", "alert", body="A cat.", format=3)],
        "A cat.",
        1,
    ),
    Row(
        "the same words as an answer that the short history no longer shows",
        [
            *(*said("0.1", "user", "B?"), *said("0.2", "assistant", "Yes.")),
            *(*said("0.3", "user", QUESTION), *said("0.4", "assistant", "Yes."), CHAT),
        ],
        "Yes.",
        7,
        before=[
            *(*said("0.1", "user", "A?"), *said("0.2", "assistant", "Yes.")),
            *(*said("0.3", "user", "B?"), *said("0.4", "assistant", "Yes.")),
        ],
    ),
    Row(
        "history below the echo is no answer where something stands between them",
        [
            *(*said("0.1", "user", QUESTION), element("0.2", "heading", body="Before")),
            *(*said("0.3", "user", "B?"), *said("0.4", "assistant", "Yes."), CHAT),
        ],
        None,
        kind=ErrorKind.EMPTY,
        before=[
            element("0.2", "heading", body="Before"),
            *(*said("0.3", "user", "B?"), *said("0.4", "assistant", "Yes.")),
        ],
    ),
    Row(
        "a box that asks for something is none",
        [element("0.1", "alert", body="Please add your API key to continue.", format=3)],
        None,
        kind=ErrorKind.EMPTY,
    ),
    Row("a warning neither", [element("0.1", "alert", body="A cat.", format=2)], None, kind=ErrorKind.EMPTY),
    Row(
        "an answer in a text area",
        [element("0.1", "text_area", id="w", label="Result", default="A cat.")],
        "A cat.",
        0,
    ),
    Row(
        "an answer that only the second run shows",
        [finished(2), started(), *said("0.1", "user", QUESTION), *said("0.2", "assistant", "A cat."), CHAT],
        "A cat.",
        5,
    ),
    Row("nothing at all", [CHAT], None, kind=ErrorKind.EMPTY),
    Row("only an empty text", [markdown("0.1", "  ▌ ")], None, kind=ErrorKind.EMPTY),
    Row("only the echo", [markdown("0.1", QUESTION)], None, kind=ErrorKind.EMPTY),
    Row(
        "st.error",
        [element("0.1", "alert", body="no GPU\nfree", format=1)],
        None,
        kind=ErrorKind.SERVER_ERROR,
    ),
    Row(
        "an exception after half an answer",
        [*grows("0.1", "A", "A ca"), element("0.2", "exception", type="ValueError", message="boom")],
        "A ca",
        0,
        kind=ErrorKind.SERVER_ERROR,
    ),
    Row(
        "a warning shown as exception is none",
        [
            element("0.1", "exception", type="UserWarning", message="old", is_warning=True),
            markdown("0.2", "A cat"),
        ],
        "A cat",
        1,
    ),
    Row(
        "an error that stood there before is not this question's",
        [element("0.1", "alert", body="no API key", format=1), markdown("0.2", "A cat.")],
        "A cat.",
        1,
        before=[element("0.1", "alert", body="no API key", format=1)],
    ),
]


def opened(before: list[bytes]) -> StreamlitSession:
    session = StreamlitSession("http://127.0.0.1/")
    session.open()
    for frame in [started(), *before, CHAT, finished()]:
        assert session.receive(frame) == []
    assert session.idle
    return session


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_answer_is_found(row: Row) -> None:
    session = opened(row.before)
    session.ask(Prompt("test", QUESTION))
    session.receive(started())
    outputs: list[tuple[int, Output]] = []
    for index, frame in enumerate(row.run):
        outputs += [(index, s) for s in session.receive(frame) if isinstance(s, Output)]
    (ended,) = session.receive(finished())
    assert isinstance(ended, Ended)
    assert ended.kind is row.kind
    assert ended.outcome is (Outcome.OK if row.kind is None else Outcome.FAILED)
    assert ended.text == (row.text or "")
    chosen = [(index, signal) for index, signal in outputs if signal.candidate == ended.answer]
    assert (chosen[0][0] if chosen else None) == row.first
    assert all(signal.chars > 0 for _, signal in outputs)
    assert session.idle


def test_a_failure_without_an_answer_says_what_was_on_the_page() -> None:
    session = opened([markdown("0.0", "Welcome to\nthe demo")])
    session.ask(Prompt("test", QUESTION))
    for frame in (started(), markdown("0.0", "Welcome to\nthe demo"), CHAT):
        session.receive(frame)
    (ended,) = session.receive(finished())
    assert isinstance(ended, Ended)
    assert ended.detail == (
        "the script ended without an answer; if a text is it, say answer = {path = ...}; "
        "texts: 0.0 'Welcome to the demo'; widgets on the page: chat_input 'Ask'"
    )


def test_inside_an_expander_by_option() -> None:
    session = StreamlitSession("http://127.0.0.1/", answer=AnswerQuery(in_expander=True))
    session.open()
    for frame in (started(), CHAT, finished()):
        session.receive(frame)
    session.ask(Prompt("test", QUESTION))
    for frame in (started(), block("0.1", "expandable", label="Answer"), *grows("0.1.0", "A", "A cat")):
        session.receive(frame)
    (ended,) = session.receive(finished())
    assert isinstance(ended, Ended)
    assert ended.text == "A cat"


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("A cat ▌", "A cat"),
        ("A cat …\n", "A cat"),
        ("a < b", "a < b"),
        ("x -> y>", "x -> y>"),
        ("<p>A<span class='cursor'>|</span></p>", "<p>A"),
        ("▌", ""),
        (" " * 100_000 + "x", " " * 100_000 + "x"),
    ],
)
def test_without_cursor(text: str, bare: str) -> None:
    assert without_cursor(text) == bare
