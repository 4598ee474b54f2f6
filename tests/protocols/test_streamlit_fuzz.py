"""Whatever a server sends, a tab neither crashes nor hangs nor fills the memory, and works again after."""

import contextlib
import functools
import random
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols import SendMessage
from glm_locust.protocols.streamlit import PageError, StreamlitSession
from glm_locust.protocols.streamlit.page import MAX_NODES
from glm_locust.protocols.streamlit.schema import MESSAGES, BackMsg, ForwardMsg
from glm_locust.records import Ended, ErrorKind, Outcome, Signal
from glm_locust.transport.clock import now_ns
from glm_locust.transport.websocket import BROKEN, WebSocket
from glm_locust.workload.prompt import Image, Prompt
from tests.protocols.streamlit import messages as m
from tests.protocols.streamlit.replay import VERSIONS, Capture, load
from tests.transport.test_websocket import connected
from tests.transport.test_websocket import frame as websocket_frame

EXAMPLES = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MEMORY_BYTES = 100 * 2**20
"""Less than any of the floods, which are of 160 MB."""
IMAGE = Image(b"\x89PNG", "image/png", 1, 1, "a.png")

capture = functools.cache(load)


def tab(recorded: Capture) -> StreamlitSession:
    """Open, as the recording begins."""
    session = StreamlitSession("http://test/")
    opened(session, recorded)
    return session


def opened(session: StreamlitSession, recorded: Capture) -> None:
    """What a reload does, on a server that is in order."""
    session.abandon()
    commands: list[Any] = list(session.open())
    while commands:  # a tab that was cut off may first ask where its left-over messages end
        back = BackMsg.FromString(commands.pop(0).data)
        if back.WhichOneof("type") == "file_urls_request":
            commands += session.receive(m.file_urls(back.file_urls_request.request_id, "left-over"))
    for frame in recorded.frames[: recorded.sent[1][0]]:
        session.receive(frame)
    assert session.idle


def answer_of(recorded: Capture) -> tuple[Prompt, list[bytes]]:
    """The first question of a recorded chat, and all that came for it."""
    (start, sent), (end, _) = recorded.sent[1:3]
    (state,) = sent.rerun_script.widget_states.widgets
    value = getattr(state, state.WhichOneof("value"))
    return Prompt("t", value.data), recorded.frames[start:end]


def play(session: StreamlitSession, frames: list[bytes]) -> list[Signal]:
    """Feed frames as the client does: garbage outside a question costs the connection, nothing more."""
    signals: list[Signal] = []
    for frame in frames:
        asked = not session.idle
        try:
            taken = session.receive(frame)
        except RemoteProtocolError:
            assert not any(isinstance(signal, Ended) for signal in signals) or not asked
            return signals
        signals += [result for result in taken if isinstance(result, Signal)]
    assert sum(isinstance(signal, Ended) for signal in signals) <= 1, "a question ends once"
    return signals


def works_again(session: StreamlitSession, recorded: Capture) -> None:
    """After a reload the next question of the same user is answered."""
    opened(session, recorded)
    prompt, frames = answer_of(recorded)
    session.ask(prompt)
    ended = [signal for signal in play(session, frames) if isinstance(signal, Ended)]
    assert [end.outcome for end in ended] == [Outcome.OK], ended


# -- recordings, damaged --------------------------------------------------------------------------


DAMAGES = ("cut", "drop", "repeat", "move", "overwrite", "unknown", "random", "other")


@st.composite
def damaged(draw: st.DrawFn, frames: list[bytes]) -> list[bytes]:
    """The frames with a few of them cut, dropped, repeated, moved, overwritten or added to."""
    frames = list(frames)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(frames) - 1))
        frame = frames[at]
        match draw(
            st.sampled_from(("cut", "drop", "repeat", "move", "overwrite", "unknown", "random", "other"))
        ):
            case "cut":
                frames[at] = frame[: draw(st.integers(0, len(frame)))]
            case "drop" if len(frames) > 1:
                del frames[at]
            case "repeat":
                frames[at:at] = [frame] * draw(st.integers(1, 4))
            case "move":
                frames.insert(draw(st.integers(0, len(frames) - 1)), frames.pop(at))
            case "overwrite":
                place = draw(st.integers(0, len(frame)))
                new = draw(st.binary(min_size=1, max_size=8))
                frames[at] = frame[:place] + new + frame[place + len(new) :]
            case "unknown":
                frames[at] = frame + unknown_field(
                    draw(st.integers(200, 2**20)), draw(st.binary(max_size=30))
                )
            case "random":
                frames.insert(at, draw(st.binary(max_size=60)))
            case "other":
                version = draw(st.sampled_from(VERSIONS))
                frames.insert(at, draw(st.sampled_from(capture(version, "app_form").frames)))
    return frames


def unknown_field(number: int, payload: bytes) -> bytes:
    """A field that no version has, as a newer one would add it."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


@EXAMPLES
@given(st.data(), st.sampled_from(VERSIONS))
def test_a_damaged_answer_ends_well_or_with_a_kind_and_the_next_question_is_answered(
    data: st.DataObject, version: str
) -> None:
    recorded = capture(version, "app_chat")
    prompt, frames = answer_of(recorded)
    session = tab(recorded)
    session.ask(prompt)
    for signal in play(session, data.draw(damaged(frames))):
        if isinstance(signal, Ended) and signal.outcome is not Outcome.OK:
            assert signal.kind in (
                *(ErrorKind.PROTOCOL, ErrorKind.EMPTY, ErrorKind.SERVER_ERROR, ErrorKind.TRUNCATED),
            )
            assert signal.detail
    works_again(session, recorded)


@EXAMPLES
@given(st.data(), st.sampled_from(VERSIONS))
def test_a_damaged_first_run_of_the_page_raises_protocol_errors_only(
    data: st.DataObject, version: str
) -> None:
    recorded = capture(version, "app_form")
    session = StreamlitSession("http://test/")
    session.open()
    play(session, data.draw(damaged(recorded.frames[: recorded.sent[1][0]])))
    recorded = capture(version, "app_chat")
    works_again(session, recorded)


@EXAMPLES
@given(st.integers(0, 60), st.integers(200, 2**28), st.binary(max_size=200))
def test_fields_of_newer_versions_change_nothing(index: int, number: int, payload: bytes) -> None:
    recorded = capture(VERSIONS[-1], "app_chat")
    prompt, frames = answer_of(recorded)

    def signals(frames: list[bytes]) -> list[Signal]:
        session = tab(recorded)
        session.ask(prompt)
        return play(session, frames)

    at = index % len(frames)
    newer = [*frames[:at], frames[at] + unknown_field(number, payload), *frames[at + 1 :]]
    assert signals(newer) == signals(frames)


@EXAMPLES
@given(st.binary(min_size=1, max_size=300), st.integers(0, 30))
def test_bytes_that_are_no_message_end_a_question_as_protocol(noise: bytes, after: int) -> None:
    recorded = capture(VERSIONS[-1], "app_chat")
    prompt, frames = answer_of(recorded)
    session = tab(recorded)
    session.ask(prompt)
    play(session, frames[:after])
    (ended,) = session.receive(b"\x07" + noise)  # field 0 and wire type 7 do not exist
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.kind) == (Outcome.FAILED, ErrorKind.PROTOCOL)


# -- messages that no server of ours ever sent ----------------------------------------------------


STRINGS = (
    *("", "a", "a b", "abc", "Question", "Send", "user", "assistant", "main", "s1", "upload-1", "f1"),
    *("1.28.0", "1.44", "1.67.0", "not a version", "\x00", "<b>", "▌", "/_stcore/upload_file/s1/1", "é" * 40),
    *("$$ID-0123456789abcdef0123456789abcdef-key", "$$ID-0123456789abcdef0123456789abcdef-None"),
)
NUMBERS = {
    FieldDescriptor.CPPTYPE_BOOL: (True, False),
    FieldDescriptor.CPPTYPE_INT32: (0, 1, 2, 3, 4, -1, 2**31 - 1, -(2**31)),
    FieldDescriptor.CPPTYPE_UINT32: (0, 1, 2, 3, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 1, 2**64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, 1.5, -1.0, float("inf"), float("nan"), 1e-9),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, 1.5, -1.0, 1e300, float("inf"), float("nan"), 1e-9),
}
KINDS = ("element", "element", "block", "new_session", "finished", "uploads", "other")


def invented_message(name: str, rng: random.Random, depth: int) -> Any:
    """A message of the schema with any of its fields, few of them and small."""
    message = MESSAGES[name]()
    fields = [
        field
        for field in message.DESCRIPTOR.fields
        if depth > 0 or field.cpp_type != FieldDescriptor.CPPTYPE_MESSAGE
    ]

    def value(field: FieldDescriptor) -> Any:
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            return invented_message(field.message_type.name, rng, depth - 1)
        return rng.choice(NUMBERS.get(field.cpp_type, STRINGS))

    for field in rng.sample(fields, min(len(fields), rng.randrange(6))):
        if field.is_repeated:
            getattr(message, field.name).extend(value(field) for _ in range(rng.randrange(4)))
        elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            getattr(message, field.name).CopyFrom(value(field))
        else:
            setattr(message, field.name, value(field))
    return message


def invented_frame(rng: random.Random) -> bytes:
    """A message of a kind that does something."""
    message = invented_message("ForwardMsg", rng, 1)
    match rng.choice(KINDS):
        case "element":
            message.delta.new_element.CopyFrom(invented_message("Element", rng, 2))
        case "block":
            message.delta.add_block.CopyFrom(invented_message("Block", rng, 2))
        case "new_session":
            message.new_session.CopyFrom(invented_message("NewSession", rng, 3))
        case "finished":
            message.script_finished = rng.choice((0, 0, 1, 2, 3, 7, -1))
        case "uploads":
            message.file_urls_response.CopyFrom(invented_message("FileURLsResponse", rng, 2))
            message.file_urls_response.response_id = "upload-1"
    if message.WhichOneof("type") == "delta":
        deep = rng.random() < 0.1
        path = [rng.randrange(2**32 if deep else 5) for _ in range(rng.randrange(80 if deep else 5))]
        message.metadata.delta_path[:] = path
        message.delta.fragment_id = rng.choice(("", "", "f1"))
    return bytes(message.SerializeToString())


FORM = [
    m.started(),
    m.block("0.0", "form", form_id="f1", clear_on_submit=True),
    m.element("0.0.0", "text_area", id="$$ID-0123456789abcdef0123456789abcdef-key", label="Q", form_id="f1"),
    m.element("0.0.1", "file_uploader", id="up", type=[".png"], form_id="f1"),
    m.element("0.0.2", "button", id="go", label="Send", form_id="f1", is_form_submitter=True),
    m.element("0.1", "text_area", id="plain", label="System prompt"),
    m.finished(),
]


@settings(EXAMPLES, max_examples=150)
@given(st.integers(0, 2**32), st.integers(0, 25), st.booleans(), st.integers(0, 3))
def test_invented_messages_never_raise_inside_a_question(
    seed: int, count: int, with_image: bool, before: int
) -> None:
    rng = random.Random(seed)
    frames = [invented_frame(rng) for _ in range(count)]
    session = StreamlitSession("http://test/")
    session.open()
    play(session, FORM)
    assert session.idle
    play(session, frames[:before])
    if session.idle:
        with contextlib.suppress(PageError):  # the frames may have taken all widgets away
            session.ask(Prompt("t", "What?", (IMAGE,) * with_image))
    for frame in frames[before:]:
        if session.idle:
            return
        try:
            session.receive(frame)
        except RemoteProtocolError:
            return
    works_again(session, capture(VERSIONS[-1], "app_chat"))


# -- floods ----------------------------------------------------------------------------------------

FLOOD = 1600
BODY = "x" * 100_000


FLOODS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "a text that is written anew each time": ("1.67.0", lambda n: m.markdown("0.1", f"{n} {BODY}")),
    "a text at another path each time": ("1.67.0", lambda n: m.markdown(f"0.{n + 5}", f"{n} {BODY}")),
    "exceptions": (
        "1.67.0",
        lambda n: m.element(f"0.{n % 7}", "exception", type="E", message=f"{n} {BODY}"),
    ),
    "messages to keep for later references": (
        "1.37.0",
        lambda n: m.cached(m.element("0.1", "imgs"), f"{n} {BODY}"),
    ),
    "references to messages that never came": ("1.37.0", lambda n: m.reference("0.1", f"{n} {BODY}")),
    "automatic reruns": (
        "1.67.0",
        lambda n: bytes(
            ForwardMsg(auto_rerun={"interval": 1.0, "fragment_id": f"{n} {BODY}"}).SerializeToString()
        ),
    ),
    "new runs": ("1.67.0", lambda n: m.started(script_hash=f"{n} {BODY}")),
    "new sessions": ("1.67.0", lambda n: m.started(session_id=f"{n} {BODY}")),
    "blocks": ("1.67.0", lambda n: m.block(f"0.{n}", "expandable", label=f"{n}")),
}


PAGE_CONTENT = ("a text at another path each time",)


@pytest.mark.parametrize("asking", [True, False], ids=["while answering", "while idle"])
@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_does_not_fill_the_memory(what: str, asking: bool) -> None:
    if what in PAGE_CONTENT and not asking:
        pytest.skip("a page may be that large; how many elements it has is limited elsewhere")
    version, frame = FLOODS[what]
    session = StreamlitSession("http://test/")
    session.open()
    page = [m.started(version=version), m.element("3.0", "chat_input", id="chat"), m.finished()]
    play(session, page)
    if asking:
        session.ask(Prompt("t", "What?"))
        play(session, page[:2])
    # Not tracemalloc: it does not see what protobuf allocates.
    before = psutil.Process().memory_info().rss
    with contextlib.suppress(RemoteProtocolError):
        for data in map(frame, range(FLOOD)):
            if any(isinstance(result, Ended) for result in session.receive(data)):
                break  # here a client leaves
    assert psutil.Process().memory_info().rss - before < MEMORY_BYTES


def test_a_page_of_too_many_elements_is_a_protocol_error() -> None:
    recorded = capture(VERSIONS[-1], "app_chat")
    session = tab(recorded)
    session.ask(Prompt("t", "What?"))
    session.receive(m.started())
    taken: list[Any] = []
    for n in range(MAX_NODES + 1):
        taken = session.receive(m.element(f"0.{n}", "empty"))
        if taken:
            break
    (ended,) = taken
    assert isinstance(ended, Ended)
    assert ended.kind is ErrorKind.PROTOCOL
    works_again(session, recorded)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["<b>" * 700_000, "▌" * 2_000_000, "<" * 2_000_000, "a " * 1_000_000, ">" * 2_000_000, "1." * 1_000_000],
    ids=["tags", "cursors", "openings", "blanks", "closings", "figures"],
)
def test_a_long_text_takes_no_longer_than_its_length_allows(text: str) -> None:
    session = StreamlitSession("http://test/")
    session.open()
    page = [m.started(), m.element("3.0", "chat_input", id="chat"), m.finished()]
    play(session, page)
    session.ask(Prompt("t", "What?"))
    texts = [m.markdown("0.1", "a" * n + text) for n in range(3)]
    signals = play(session, [m.started(), *texts, m.finished()])
    assert isinstance(signals[-1], Ended)


def test_an_upload_address_for_every_file_is_needed() -> None:
    session = StreamlitSession("http://test/")
    session.open()
    play(session, FORM)
    (command,) = session.ask(Prompt("t", "What?", (IMAGE,)))
    assert isinstance(command, SendMessage)
    request = BackMsg.FromString(command.data).file_urls_request
    (ended,) = session.receive(m.file_urls(request.request_id, "one", "too", "many"))
    assert isinstance(ended, Ended)
    assert ended.kind is ErrorKind.SERVER_ERROR


@pytest.mark.parametrize("version", ["", "not a version", "0", "999999999.1.1"])
def test_a_server_of_no_known_version_is_asked_as_the_newest_or_oldest(version: str) -> None:
    session = StreamlitSession("http://test/")
    session.open()
    play(session, [m.started(version=version), *FORM[1:]])
    assert len(session.ask(Prompt("t", "What?"))) == 1


@pytest.mark.parametrize("default", [-1, -(2**31), 2**31 - 1])
def test_a_default_that_no_option_has_is_none(default: int) -> None:
    session = StreamlitSession("http://test/")
    session.open()
    play(session, FORM)
    session.ask(Prompt("t", "What?"))
    field = "$$ID-0123456789abcdef0123456789abcdef-key"
    box = m.element("0.0.3", "selectbox", id=field, options=["a"], default=default, form_id="f1")
    play(session, [m.started(), *FORM[1:6], box, m.markdown("0.2", "An answer."), m.finished()])
    assert session.idle
    session.ask(Prompt("t", "And then?"))  # the form clears itself: its widgets go back to their defaults


# -- bytes that are no frames ----------------------------------------------------------------------


@settings(EXAMPLES, max_examples=40)
@given(
    st.lists(
        st.binary(max_size=40)
        | st.builds(websocket_frame, st.binary(max_size=200), st.integers(0, 15), fin=st.booleans()),
        max_size=6,
    )
)
def test_a_connection_full_of_garbage_breaks_in_a_known_way(pieces: list[bytes]) -> None:
    def listen(socket: WebSocket) -> None:
        while socket.receive(now_ns() + 10**10) is not None:
            pass

    # After the garbage the server closes.
    with connected(lambda peer: peer.accept(b"".join(pieces))) as socket, pytest.raises(BROKEN):
        listen(socket)
