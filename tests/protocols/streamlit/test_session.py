"""What a session sends and says, message by message."""

from typing import Any

import pytest

from glm_locust.errors import LocalProtocolError, RemoteProtocolError
from glm_locust.protocols import Command, HttpPut, SendMessage
from glm_locust.protocols.streamlit import PageError, StreamlitSession
from glm_locust.protocols.streamlit.schema import BackMsg, ForwardMsg
from glm_locust.records import Accepted, Ended, ErrorKind, Outcome, Output, Signal
from glm_locust.workload.prompt import Image, Prompt
from tests.protocols.streamlit.messages import (
    block,
    cached,
    element,
    file_urls,
    finished,
    markdown,
    reference,
    said,
    started,
)

CHAT = element("3.0", "chat_input", id="chat", placeholder="Ask")
AREA = element("0.0", "text_area", id="area", label="Prompt")
BUTTON = element("0.1", "button", id="button", label="Send")
UPLOADER = element("0.2", "file_uploader", id="files", label="Image", multiple_files=True)
ANSWER = [markdown("0.9", "A"), markdown("0.9", "A cat")]


def prompt(text: str = "what?", images: int = 0) -> Prompt:
    files = (Image(bytes([65 + n]) * 10, "image/png", 1, 1, f"{n}.png") for n in range(images))
    return Prompt("test", text, tuple(files))


def feed(session: StreamlitSession, *frames: bytes) -> list[Command | Signal]:
    return [result for frame in frames for result in session.receive(frame)]


def opened(*elements: bytes, **first: Any) -> StreamlitSession:
    session = StreamlitSession("http://127.0.0.1/", page=first.pop("page", None))
    (message,) = session.open()
    assert not states(message)
    assert feed(session, started(**first), *elements, finished()) == []
    assert session.idle
    return session


def sent(command: Command | Signal) -> Any:
    assert isinstance(command, SendMessage)
    message = BackMsg()
    message.ParseFromString(command.data)
    return message


def states(command: Command | Signal) -> dict[str, Any]:
    widgets = sent(command).rerun_script.widget_states.widgets
    return {w.id: getattr(w, w.WhichOneof("value")) for w in widgets}


def ended_of(results: list[Command | Signal]) -> Ended:
    (ended,) = [result for result in results if isinstance(result, Ended)]
    return ended


class TestOpening:
    def test_a_page_is_idle_after_its_first_run(self) -> None:
        session = StreamlitSession("http://127.0.0.1/")
        session.open()
        feed(session, started(), CHAT)
        assert not session.idle
        feed(session, finished())
        assert session.idle
        assert session.page.version == (1, 67, 0)

    def test_a_first_run_that_ends_for_a_rerun_is_not_the_last(self) -> None:
        session = StreamlitSession("http://127.0.0.1/")
        session.open()
        feed(session, started(), finished(2))
        assert not session.idle
        feed(session, started(), CHAT, finished())
        assert session.idle

    def test_no_question_before_that(self) -> None:
        session = StreamlitSession("http://127.0.0.1/")
        session.open()
        with pytest.raises(LocalProtocolError):
            session.ask(prompt())

    def test_a_named_page_is_opened_by_its_hash(self) -> None:
        session = StreamlitSession("http://127.0.0.1/", page="my page")
        session.open()
        (again,) = feed(session, started(pages=("Home", "My_Page")), CHAT, finished())
        assert sent(again).rerun_script.page_script_hash == "hash-My_Page"
        assert not session.idle
        feed(session, started(script_hash="hash-My_Page"), CHAT, finished())
        assert session.idle
        (question,) = session.ask(prompt())
        assert sent(question).rerun_script.page_script_hash == "hash-My_Page"

    def test_a_page_that_the_app_does_not_have(self) -> None:
        session = opened(CHAT, page="nowhere", pages=("Home", "Chat"))
        assert session.opening_errors == ["the app has no page 'nowhere'; its pages: 'Home', 'Chat'"]

    def test_a_script_that_does_not_compile(self) -> None:
        session = StreamlitSession("http://127.0.0.1/")
        session.open()
        feed(session, started(), finished(1), compile_error())
        assert session.opening_errors == ["the page's script does not compile: SyntaxError: bad line"]
        with pytest.raises(PageError, match=r"no widget takes a prompt: .*; widgets on the page: none"):
            session.ask(prompt())


def compile_error() -> bytes:
    message = ForwardMsg()
    message.session_event.script_compilation_exception.type = "SyntaxError"
    message.session_event.script_compilation_exception.message = "bad\nline"
    return bytes(message.SerializeToString())


class TestUploads:
    def test_outside_a_form_the_script_runs_before_the_question(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        (request,) = session.ask(prompt(images=2))
        assert not request.submits  # type: ignore[union-attr]
        asked = sent(request).file_urls_request
        assert list(asked.file_names) == ["0.png", "1.png"]
        assert asked.session_id == "s1"
        first, second, rerun = feed(session, file_urls(asked.request_id, "a", "b"))
        assert isinstance(first, HttpPut)
        assert isinstance(second, HttpPut)
        assert first.path == "/_stcore/upload_file/s1/a"
        assert b"A" * 10 in first.body
        assert first.headers["Content-Type"].startswith("multipart/form-data; boundary=")
        assert [f.file_id for f in states(rerun)["files"].uploaded_file_info] == ["a", "b"]
        (submit,) = feed(session, started(), AREA, BUTTON, UPLOADER, finished())
        assert submit.submits  # type: ignore[union-attr]
        assert set(states(submit)) == {"files", "area", "button"}
        results = feed(session, started(), AREA, BUTTON, UPLOADER, *ANSWER, finished())
        assert [type(r) for r in results] == [Accepted, Output, Output, Ended]

    def test_in_a_form_everything_goes_at_once(self) -> None:
        session = opened(
            block("0.0", "form", form_id="f", clear_on_submit=True),
            element("0.0.0", "text_area", id="area", label="Prompt", form_id="f", default="type here"),
            element("0.0.1", "file_uploader", id="files", form_id="f"),
            element("0.0.2", "button", id="button", label="Send", form_id="f", is_form_submitter=True),
        )
        (request,) = session.ask(prompt(images=1))
        _, submit = feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        assert submit.submits  # type: ignore[union-attr]
        assert states(submit)["area"] == "what?"
        assert states(submit)["button"] is True
        feed(session, *session_run(session), *ANSWER, finished())
        (again,) = session.open()
        assert states(again)["area"] == "type here"
        assert not states(again)["files"].uploaded_file_info

    def test_a_chat_input_takes_them_with_its_text(self) -> None:
        chat = element("3.0", "chat_input", id="chat", accept_file=2)
        session = opened(chat)
        (request,) = session.ask(prompt(images=2))
        _, _, submit = feed(session, file_urls(sent(request).file_urls_request.request_id, "a", "b"))
        value = states(submit)["chat"]
        assert value.data == "what?"
        assert [f.file_id for f in value.file_uploader_state.uploaded_file_info] == ["a", "b"]

    def test_one_image_into_each_of_two_uploaders(self) -> None:
        other = element("0.3", "file_uploader", id="other", label="Second")
        one = element("0.2", "file_uploader", id="one", label="First")
        session = opened(AREA, BUTTON, one, other)
        (request,) = session.ask(prompt(images=2))
        *_, rerun = feed(session, file_urls(sent(request).file_urls_request.request_id, "a", "b"))
        values = states(rerun)
        assert [f.file_id for f in values["one"].uploaded_file_info] == ["a"]
        assert [f.file_id for f in values["other"].uploaded_file_info] == ["b"]

    def test_a_page_that_answers_as_soon_as_the_file_is_there(self) -> None:
        session = opened(UPLOADER)
        (request,) = session.ask(prompt(images=1))
        assert request.submits  # type: ignore[union-attr]
        _, rerun = feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        assert not rerun.submits  # type: ignore[union-attr]
        ended = ended_of(feed(session, started(), UPLOADER, *ANSWER, finished()))
        assert (ended.outcome, ended.text) == (Outcome.OK, "A cat")

    def test_a_page_whose_button_comes_with_the_file(self) -> None:
        session = opened(UPLOADER)
        (request,) = session.ask(prompt(images=1))
        feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        (submit,) = feed(session, started(), UPLOADER, BUTTON, finished())
        assert submit.submits  # type: ignore[union-attr]
        assert set(states(submit)) == {"files", "button"}
        results = feed(session, started(), UPLOADER, BUTTON, *ANSWER, finished())
        assert ended_of(results).text == "A cat"

    def test_the_next_question_without_images_is_asked_without_the_last_one_s(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        (request,) = session.ask(prompt(images=1))
        feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        feed(session, *session_run(session), finished())
        feed(session, *session_run(session), *ANSWER, finished())
        (submit,) = session.ask(prompt("and this?"))
        assert not states(submit)["files"].uploaded_file_info
        assert states(submit)["area"] == "and this?"

    def test_a_server_that_gives_no_address(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        (request,) = session.ask(prompt(images=1))
        results = feed(session, file_urls(sent(request).file_urls_request.request_id, error="no space"))
        ended = ended_of(results)
        assert (ended.kind, ended.detail) == (
            ErrorKind.SERVER_ERROR,
            "the page gave no upload address: no space",
        )
        assert session.idle

    def test_addresses_for_somebody_else_s_request_are_not_ours(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        session.ask(prompt(images=1))
        assert feed(session, file_urls("another", "a")) == []

    def test_a_probe_uses_the_file_for_nothing(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        (request,) = session.probe_upload(prompt(images=1))
        (put,) = feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        assert isinstance(put, HttpPut)
        assert session.idle
        (submit,) = session.ask(prompt())
        assert "files" not in states(submit)


def session_run(session: StreamlitSession) -> list[bytes]:
    """A run that sends the page again as it stands."""
    frames = [started()]
    for node in session.page:
        message = ForwardMsg()
        message.metadata.delta_path.extend(node.path)
        holder = message.delta.add_block if node.is_block else message.delta.new_element
        getattr(holder, node.kind).CopyFrom(node.content)
        frames.append(bytes(message.SerializeToString()))
    return frames


class TestButtons:
    def test_a_button_that_waits_for_the_text_gets_it_first(self) -> None:
        grey = element("0.1", "button", id="button", label="Send", disabled=True)
        session = opened(AREA, grey)
        (typed,) = session.ask(prompt())
        assert not typed.submits  # type: ignore[union-attr]
        assert states(typed) == {"area": "what?"}
        (submit,) = feed(session, started(), AREA, BUTTON, finished())
        assert submit.submits  # type: ignore[union-attr]
        assert states(submit) == {"area": "what?", "button": True}

    def test_a_button_that_never_can_be_pressed(self) -> None:
        grey = element("0.1", "button", id="button", label="Send", disabled=True)
        session = opened(AREA, grey)
        session.ask(prompt())
        ended = ended_of(feed(session, started(), AREA, grey, finished()))
        assert ended.kind is ErrorKind.PROTOCOL
        assert ended.detail is not None
        assert ended.detail.startswith("button 'Send' disabled cannot be pressed")

    def test_without_a_button_the_text_is_the_question(self) -> None:
        session = opened(AREA)
        (submit,) = session.ask(prompt())
        assert submit.submits  # type: ignore[union-attr]
        assert states(submit) == {"area": "what?"}

    def test_a_field_that_takes_less_than_the_prompt(self) -> None:
        session = opened(element("3.0", "chat_input", id="chat", placeholder="Ask", max_chars=3))
        with pytest.raises(PageError, match="chat_input 'Ask' takes 3 characters, the prompt has 5"):
            session.ask(prompt("what?"))
        assert session.idle

    def test_a_value_that_the_app_sets_itself_is_not_sent_again(self) -> None:
        session = opened(AREA, BUTTON)
        session.ask(prompt())
        emptied = element("0.0", "text_area", id="area", label="Prompt", value="", set_value=True)
        feed(session, started(), emptied, BUTTON, *ANSWER, finished())
        (again,) = session.open()
        assert states(again) == {}


class TestRuns:
    def test_what_belongs_to_an_earlier_run_is_not_the_answer(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        assert feed(session, markdown("0.5", "left over"), finished()) == []
        results = feed(session, started(), *said("0.1", "assistant", "A cat."), CHAT, finished())
        assert ended_of(results).text == "A cat."

    def test_an_interrupted_run_never_ends_and_the_next_one_counts(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        results = feed(session, started(), markdown("0.5", "A"), started(), *ANSWER, CHAT, finished())
        assert [type(r) for r in results].count(Accepted) == 1
        assert ended_of(results).text == "A cat"

    def test_runs_of_other_fragments_are_nobody_s_business(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        clock = [started(fragments=("clock",)), markdown("0.7", "12:00:01", fragment="clock"), finished(3)]
        assert feed(session, *clock) == []
        results = feed(session, started(), *ANSWER, CHAT, finished())
        assert ended_of(results).text == "A cat"

    @pytest.mark.parametrize("version", ["1.45.1", "1.67.0"])
    def test_a_question_inside_a_fragment_is_answered_by_its_run(self, version: str) -> None:
        chat = element("0.1", "chat_input", id="chat", fragment="f1")
        session = opened(chat, version=version)
        (submit,) = session.ask(prompt())
        assert sent(submit).rerun_script.fragment_id == "f1"
        run = [started(version=version, fragments=("f1",)), chat]
        results = feed(session, *run, markdown("0.2", "A cat", fragment="f1"), finished(3))
        assert ended_of(results).text == "A cat"

    def test_a_fragment_s_run_leaves_the_rest_of_the_page(self) -> None:
        session = opened(CHAT, markdown("0.1", "whole"), markdown("0.2", "old", fragment="f"))
        feed(session, started(fragments=("f",)), markdown("0.3", "new", fragment="f"), finished(3))
        assert [n.content.body for n in session.page if n.kind == "markdown"] == ["whole", "new"]

    def test_a_run_takes_away_what_it_does_not_send_again(self) -> None:
        session = opened(CHAT, markdown("0.1", "old"), markdown("0.2", "older"))
        feed(session, started(), CHAT, markdown("0.1", "new"), finished())
        assert [n.content.body for n in session.page if n.kind == "markdown"] == ["new"]

    def test_an_element_in_the_place_of_a_container_takes_its_children_away(self) -> None:
        session = opened(CHAT, block("0.1", "vertical"), markdown("0.1.0", "inner"))
        feed(session, started(), markdown("0.1", "outer"))
        assert [n.content.body for n in session.page if n.kind == "markdown"] == ["outer"]

    def test_a_message_kept_from_before_stands_for_a_reference(self) -> None:
        long = cached(markdown("0.1", "long " * 100), "hash1")
        session = opened(CHAT, long, version="1.37.1")
        results = feed(session, started(version="1.37.1"), CHAT, reference("0.4", "hash1"), finished())
        assert results == []
        assert [(n.path, n.kind) for n in session.page] == [((0, 4), "markdown"), ((3, 0), "chat_input")]

    def test_a_reference_to_nothing_keeps_what_stood_there(self) -> None:
        session = opened(CHAT, markdown("0.1", "text"), version="1.37.1")
        feed(session, started(version="1.37.1"), CHAT, reference("0.1", "unknown"), finished())
        assert [n.path for n in session.page] == [(0, 1), (3, 0)]
        assert session.page.missing_references == 1

    def test_transient_elements_take_no_place(self) -> None:
        message = ForwardMsg()
        message.metadata.delta_path.extend([0, 1])
        message.delta.new_transient.elements.add().spinner.text = "Thinking…"
        session = opened(CHAT)
        session.ask(prompt())
        spinner = bytes(message.SerializeToString())
        results = feed(session, started(), spinner, *ANSWER, CHAT, finished())
        assert ended_of(results).text == "A cat"


class TestTrouble:
    def test_a_forgotten_session_is_noticed_and_its_values_are_gone(self) -> None:
        session = opened(AREA, BUTTON)
        session.ask(prompt())
        feed(session, *session_run(session), *ANSWER, finished())
        session.eof()
        (again,) = session.open()
        assert states(again) == {"area": "what?"}
        feed(session, started(session_id="s2"), AREA, BUTTON, finished())
        assert session.lost_sessions == 1
        (once_more,) = session.open()
        assert states(once_more) == {}

    def test_garbage_in_an_answer_is_a_protocol_failure(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        (ended,) = session.receive(b"\xff" * 9)
        assert isinstance(ended, Ended)
        assert (ended.kind, ended.detail) == (ErrorKind.PROTOCOL, "9 bytes that are no Streamlit message")

    def test_garbage_outside_one_is_raised(self) -> None:
        with pytest.raises(RemoteProtocolError):
            opened(CHAT).receive(b"\xff" * 9)

    def test_an_element_too_deep(self) -> None:
        with pytest.raises(RemoteProtocolError, match="100 levels deep"):
            opened(CHAT).receive(markdown(".".join(["0"] * 100), "x"))

    def test_a_connection_lost_before_the_run_began(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        (ended,) = session.eof("gone")
        assert isinstance(ended, Ended)
        assert (ended.kind, ended.detail, ended.answer) == (ErrorKind.CONNECT, "gone", None)
        assert not session.idle

    def test_a_connection_lost_in_the_answer_keeps_what_had_come(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        feed(session, started(), *ANSWER)
        (ended,) = session.eof()
        assert isinstance(ended, Ended)
        assert (ended.kind, ended.text) == (ErrorKind.TRUNCATED, "A cat")
        assert session.eof() == []

    def test_a_script_that_stops_compiling(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        ended = ended_of(feed(session, started(), finished(1), compile_error()))
        assert (ended.kind, ended.detail) == (
            ErrorKind.SERVER_ERROR,
            "the page's script does not compile: SyntaxError: bad line",
        )

    def test_an_upload_that_breaks_the_page(self) -> None:
        session = opened(AREA, BUTTON, UPLOADER)
        (request,) = session.ask(prompt(images=1))
        feed(session, file_urls(sent(request).file_urls_request.request_id, "a"))
        broken = element("0.0", "exception", type="OSError", message="no image")
        ended = ended_of(feed(session, started(), broken, finished()))
        assert (ended.kind, ended.detail) == (ErrorKind.SERVER_ERROR, "OSError: no image")

    def test_a_page_that_wants_a_login(self) -> None:
        message = ForwardMsg()
        message.auth_redirect.url = "https://login.example/secret"
        session = opened(CHAT)
        session.ask(prompt())
        ended = ended_of(feed(session, started(), bytes(message.SerializeToString())))
        assert (ended.kind, ended.detail) == (ErrorKind.SERVER_ERROR, "the page asks for a login")

    def test_messages_of_a_newer_version_are_passed_over(self) -> None:
        session = opened(CHAT)
        session.ask(prompt())
        unknown = b"\xfa\x7f\x03abc"  # field 2047, three bytes
        results = feed(session, started(), unknown, *ANSWER, CHAT, finished())
        assert ended_of(results).text == "A cat"
