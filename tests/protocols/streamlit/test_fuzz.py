"""Whatever arrives: signals or RemoteProtocolError, never another exception, and no endless page."""

import contextlib
import functools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.streamlit import PageError, StreamlitSession
from glm_locust.records import Ended
from glm_locust.workload.prompt import Image, Prompt
from tests.protocols.streamlit.replay import load

PROMPT = Prompt("fuzz", "what is it?", (Image(b"x", "image/png", 1, 1, "x.png"),))


@functools.cache
def frames() -> list[bytes]:
    """Some messages of each kind that real servers sent."""
    found: list[bytes] = []
    for version, app in (("1.28.2", "app_misc"), ("1.45.1", "app_chatfile"), ("1.67.0", "app_form")):
        found += load(version, app).frames[:40]
    return found


def ways() -> Any:
    whole = st.sampled_from(frames())
    cut = st.builds(lambda frame, at: frame[: at % (len(frame) + 1)], whole, st.integers(0, 10_000))
    flipped = st.builds(_flip, whole, st.integers(0, 10_000), st.integers(1, 255))
    return st.one_of(whole, cut, flipped, st.binary(max_size=60))


def _flip(frame: bytes, at: int, with_: int) -> bytes:
    at %= len(frame)
    return frame[:at] + bytes([frame[at] ^ with_]) + frame[at + 1 :]


@settings(max_examples=300, deadline=None)
@given(st.lists(ways(), max_size=30))
def test_frames_cut_garbled_reordered_and_repeated(received: list[bytes]) -> None:
    session = StreamlitSession("http://127.0.0.1/")
    session.open()
    for frame in received:
        ends = 0
        asked = False
        if session.idle:
            with contextlib.suppress(PageError):
                session.require(1)
                session.ask(PROMPT)
                asked = True
        with contextlib.suppress(RemoteProtocolError):
            ends = sum(isinstance(result, Ended) for result in session.receive(frame))
        assert ends <= 1
        assert not (asked and ends and not session.idle)
    assert len(session.eof()) <= 1
