"""What a user says about a page: values set before asking, where the answer is, how the text goes off."""

import re
from typing import Any

import pytest

from glm_locust.protocols import SendMessage
from glm_locust.protocols.streamlit import AnswerQuery, Setting, StreamlitSession, WidgetQueries, WidgetQuery
from glm_locust.protocols.streamlit.schema import BackMsg
from glm_locust.records import Ended, ErrorKind, Outcome, Output
from glm_locust.workload.prompt import Prompt
from tests.protocols.streamlit.messages import block, element, finished, markdown, started

ID = "$$ID-" + "0" * 31


def identifier(number: int, key: str = "None") -> str:
    return f"{ID}{number}-{key}"


CHAT = element("3.0", "chat_input", id=identifier(0), placeholder="Ask")
MODEL = element("1.0", "selectbox", id=identifier(1), label="Model", options=["small", "large"])
DEPTH = element("1.1", "slider", id=identifier(2, "depth"), label="Depth", min=0.0, max=9.0)


def setting(name: str, value: Any) -> Setting:
    return Setting(WidgetQuery(name=name), value)


def sent(results: list[Any]) -> Any:
    """The rerun that the only message among the results asks for."""
    (command,) = [result for result in results if isinstance(result, SendMessage)]
    message = BackMsg()
    message.ParseFromString(command.data)
    return message.rerun_script


def values(rerun: Any) -> dict[str, Any]:
    found = {}
    for widget in rerun.widget_states.widgets:
        kind = widget.WhichOneof("value")
        value = getattr(widget, kind)
        found[widget.id] = list(value.data) if kind.endswith("_array_value") else value
    return found


def run(session: StreamlitSession, *frames: bytes, fragments: tuple[str, ...] = ()) -> list[Any]:
    found: list[Any] = []
    for frame in (started(fragments=fragments), *frames, finished(3 if fragments else 0)):
        found += session.receive(frame)
    return found


def ended(results: list[Any]) -> Ended:
    (end,) = [result for result in results if isinstance(result, Ended)]
    return end


class TestValues:
    def test_one_after_the_other_and_what_they_bring_up(self) -> None:
        session = StreamlitSession("http://page/", settings=[setting("Model", "large"), setting("depth", 3)])
        session.open()
        assert values(sent(run(session, MODEL, CHAT))) == {identifier(1): "large"}
        assert not session.idle
        # Only now does the page show the slider.
        both = {identifier(1): "large", identifier(2, "depth"): [3.0]}
        assert values(sent(run(session, MODEL, DEPTH, CHAT))) == both
        assert run(session, MODEL, DEPTH, CHAT) == []
        assert session.idle
        asked = values(sent(session.ask(Prompt("t", "hello"))))
        assert {name: asked[name] for name in both} == both

    def test_within_a_form_they_go_off_with_the_question(self) -> None:
        form = [
            block("0.0", "form", form_id="f"),
            element("0.0.0", "text_area", id=identifier(3), label="Prompt", form_id="f"),
            element("0.0.1", "number_input", id=identifier(4), label="Tokens", form_id="f"),
            element("0.0.2", "button", id=identifier(5), label="Go", form_id="f", is_form_submitter=True),
        ]
        session = StreamlitSession("http://page/", settings=[setting("Tokens", 64)])
        session.open()
        assert run(session, *form) == []
        assert session.idle
        asked = values(sent(session.ask(Prompt("t", "hello"))))
        assert asked == {identifier(3): "hello", identifier(4): 64.0, identifier(5): True}

    def test_a_button_is_pressed_once_and_again_only_where_nothing_takes_the_prompt(self) -> None:
        button = element("0.0", "button", id=identifier(6), label="Open")
        field = element("2.0.0", "text_input", id=identifier(7), label="Question", fragment="d")
        send = element("2.0.1", "button", id=identifier(8), label="Send", fragment="d")
        session = StreamlitSession("http://page/", settings=[setting("Open", True)])
        session.open()
        assert values(sent(run(session, button))) == {identifier(6): True}
        assert run(session, button, block("2.0", "dialog"), field, send) == []
        for _ in range(2):
            asked = sent(session.ask(Prompt("t", "hello")))
            assert asked.fragment_id == "d"
            assert values(asked) == {identifier(7): "hello", identifier(8): True}
            assert (
                ended(run(session, field, send, markdown("2.0.2", "A cat"), fragments=("d",))).text == "A cat"
            )
            # The dialog closes: the button has to be pressed again before the next question.
            session.receive(started())
            session.receive(button)
            session.receive(finished())
            assert values(sent(session.ask(Prompt("t", "next")))) == {identifier(6): True}
            commands = run(session, button, block("2.0", "dialog"), field, send)
            assert values(sent(commands)) == {identifier(7): "next", identifier(8): True}
            run(session, field, send, markdown("2.0.2", "A dog"), fragments=("d",))

    @pytest.mark.parametrize(
        ("wanted", "says"),
        [
            (setting("Model", "huge"), "has no option 'huge'; it has 'small', 'large'"),
            (setting("depth", "deep"), "expected a number, got 'deep'"),
        ],
    )
    def test_a_wrong_value_is_told_when_the_page_opens(self, wanted: Setting, says: str) -> None:
        session = StreamlitSession("http://page/", settings=[wanted])
        session.open()
        run(session, MODEL, DEPTH, CHAT)
        assert says in session.opening_errors[0]

    def test_a_widget_that_never_comes_is_told_with_the_question(self) -> None:
        session = StreamlitSession("http://page/", settings=[setting("Nowhere", 1)])
        session.open()
        run(session, MODEL, CHAT)
        with pytest.raises(Exception, match="no widget to set matches name 'Nowhere'; widgets: selectbox"):
            session.ask(Prompt("t", "hello"))

    def test_what_the_app_sets_back_is_set_again(self) -> None:
        session = StreamlitSession("http://page/", settings=[setting("Model", "large")])
        session.open()
        run(session, MODEL, CHAT)
        run(
            session,
            element(
                "1.0",
                "selectbox",
                id=identifier(1),
                label="Model",
                options=["small", "large"],
                set_value=True,
            ),
            CHAT,
        )
        assert values(sent(session.ask(Prompt("t", "hello"))))[identifier(1)] == "large"


def answered(answer: AnswerQuery, *frames: bytes) -> tuple[Ended, list[Output]]:
    session = StreamlitSession("http://page/", answer=answer)
    session.open()
    run(session, CHAT)
    session.ask(Prompt("t", "What is it?"))
    results = run(session, *frames, CHAT)
    end = ended(results)
    outputs = [result for result in results if isinstance(result, Output)]
    return end, [output for output in outputs if output.candidate == end.answer]


COLUMNS = [
    block("0.1", "horizontal"),
    block("0.1.0", "column"),
    block("0.1.1", "column"),
    markdown("0.1.0.0", "A"),
    markdown("0.1.1.0", "B"),
    markdown("0.1.0.0", "A cat on a mat"),
    markdown("0.1.1.0", "B cat"),
]
EXPANDER = [
    block("0.1", "expandable", label="✨ Result"),
    markdown("0.1.0", "A"),
    markdown("0.1.0", "A cat"),
    markdown("0.2", "Something quite different, and longer"),
]


@pytest.mark.parametrize(
    ("query", "frames", "text"),
    [
        (AnswerQuery(), COLUMNS, "A cat on a mat"),
        (AnswerQuery(container="column", index=1), COLUMNS, "B cat"),
        (AnswerQuery(path=(0, 1, 1)), COLUMNS, "B cat"),
        (AnswerQuery(path=(0, 1, 1, 0)), COLUMNS, "B cat"),
        (AnswerQuery(container="column", index=7), COLUMNS, ""),
        (AnswerQuery(), EXPANDER, "Something quite different, and longer"),
        (AnswerQuery(container="result"), EXPANDER, "A cat"),
        (AnswerQuery(in_expander=True), EXPANDER, "A cat"),
        (AnswerQuery(path=(0, 1)), EXPANDER, "A cat"),
        (AnswerQuery(pattern=re.compile("quite (.*),")), EXPANDER, "different"),
        (AnswerQuery(pattern=re.compile("no such thing")), EXPANDER, ""),
    ],
)
def test_the_answer_is_where_it_is_said_to_be(query: AnswerQuery, frames: list[bytes], text: str) -> None:
    end, _ = answered(query, *frames)
    assert end.text == text
    assert end.kind is (None if text else ErrorKind.EMPTY)


def test_an_answer_begins_where_its_pattern_does() -> None:
    growing = [
        "Let me think.",
        "Let me think. Answer: ",
        "Let me think. Answer: A",
        "Let me think. Answer: A cat",
    ]
    end, outputs = answered(
        AnswerQuery(pattern=re.compile("Answer: (.+)")), *(markdown("0.1", text) for text in growing)
    )
    assert end.text == "A cat"
    assert [output.chars for output in outputs] == [1, 4]


def test_the_same_answer_in_one_piece_to_the_same_question() -> None:
    session = StreamlitSession("http://page/")
    session.open()
    run(session, CHAT)
    for _ in range(2):
        session.ask(Prompt("t", "What is it?"))
        end = ended(run(session, markdown("0.1", "A cat"), CHAT))
        assert (end.outcome, end.text) == (Outcome.OK, "A cat")
    # To another question it is only what was left standing.
    session.ask(Prompt("t", "And that?"))
    assert ended(run(session, markdown("0.1", "A cat"), CHAT)).kind is ErrorKind.EMPTY


class TestBlur:
    FIELD = element("0.0", "text_area", id=identifier(3), label="Prompt")
    SEND = element("0.1", "button", id=identifier(5), label="Send")

    def test_the_text_first_then_the_button(self) -> None:
        session = StreamlitSession("http://page/", blur_rerun=True)
        session.open()
        run(session, self.FIELD, self.SEND)
        (typed,) = session.ask(Prompt("t", "hello"))
        assert isinstance(typed, SendMessage)
        assert not typed.submits
        assert values(sent([typed])) == {identifier(3): "hello"}
        (pressed,) = run(session, self.FIELD, self.SEND)
        assert isinstance(pressed, SendMessage)
        assert pressed.submits
        assert values(sent([pressed])) == {identifier(3): "hello", identifier(5): True}

    def test_a_field_that_becomes_something_else_is_an_error_of_the_question(self) -> None:
        queries = WidgetQueries(prompt=WidgetQuery(label="Prompt"))
        session = StreamlitSession("http://page/", queries=queries, blur_rerun=True)
        session.open()
        run(session, self.FIELD, self.SEND)
        session.ask(Prompt("t", "hello"))
        moved = element("0.0", "slider", id=identifier(4), label="Prompt", min=0.0, max=9.0)
        end = ended(run(session, moved, self.SEND))
        assert end.kind is ErrorKind.PROTOCOL
        assert "expected a number, got 'hello'" in end.detail


class TestAutoRerun:
    def test_fragments_announce_stop_and_are_forgotten(self) -> None:
        from glm_locust.protocols.streamlit.schema import ForwardMsg

        def announce(fragment: str, seconds: float) -> bytes:
            message = ForwardMsg()
            message.auto_rerun.interval = seconds
            message.auto_rerun.fragment_id = fragment
            return bytes(message.SerializeToString())

        stop = ForwardMsg()
        stop.stop_auto_rerun.fragment_ids.append("b")
        session = StreamlitSession("http://page/")
        session.open()
        run(session, CHAT, announce("a", 2), announce("b", 3))
        assert session.auto_reruns == {"a": 2.0, "b": 3.0}
        session.receive(stop.SerializeToString())
        rerun = sent(session.auto_rerun("a"))
        assert (rerun.fragment_id, rerun.is_auto_rerun) == ("a", True)
        assert session.auto_rerun("b") == []
        # A run of the fragment keeps the timer, one of the whole script begins anew.
        run(session, fragments=("a",))
        assert list(session.auto_reruns) == ["a"]
        run(session, CHAT)
        assert session.auto_reruns == {}


def test_what_a_newer_version_sends_is_named_where_it_matters() -> None:
    session = StreamlitSession("http://page/")
    session.open()
    run(session, CHAT)
    session.ask(Prompt("t", "hello"))
    # Message 99 with two bytes in it, and an element of kind 90 likewise.
    unknown = bytes.fromhex("9a06020a00")
    new_element = bytes.fromhex("1204120200052a071a05d205020a00")
    for frame in (started(version="9.9.0"), unknown, new_element, CHAT):
        session.receive(frame)
    end = ended(session.receive(finished()))
    assert end.kind is ErrorKind.EMPTY
    assert "not understood of Streamlit 9.9.0: element 90, message 99;" in (end.detail or "")


def test_the_same_answer_in_one_piece_to_another_upload() -> None:
    from glm_locust.workload.prompt import Image
    from tests.protocols.streamlit.messages import file_urls

    uploader = element("0.0", "file_uploader", id=identifier(9), label="Image", type=[".png"])
    image = Image(b"\x89PNG" + bytes(9), "image/png", 8, 8, "a.png")
    session = StreamlitSession("http://page/")
    session.open()
    run(session, uploader)
    for turn in range(2):
        session.ask(Prompt("t", f"never typed {turn}", (image,)))
        session.receive(file_urls(f"upload-{turn + 1}", f"f{turn}"))
        assert ended(run(session, uploader, markdown("0.1", "A cat"))).text == "A cat"
