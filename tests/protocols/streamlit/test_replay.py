"""Frames of real servers of five versions, replayed: the right answer, at the frame that brought it."""

import re

import pytest

from glm_locust.protocols import HttpPut, SendMessage
from glm_locust.protocols.streamlit import StreamlitSession
from glm_locust.protocols.streamlit.schema import BackMsg
from glm_locust.records import Accepted, ErrorKind, Outcome, Output
from tests.protocols.streamlit.replay import CAPTURES, VERSIONS, Asked, load, replay

RECORDINGS = [
    (version, path.stem) for version in VERSIONS for path in sorted((CAPTURES / version).glob("*.bin"))
]
TOKEN = re.compile(r"t(\d+)_\d{10}")
FAILS = {
    "Describe the image": "Please upload an image first",
    "RAISE": "ValueError: boom from app",
    "raise": "RuntimeError: app exploded",
}
WITHOUT_QUESTIONS = ("1.28.2", "app_chatfile")


def _played(version: str, app: str) -> list[Asked]:
    return list(replay(load(version, app), StreamlitSession("http://127.0.0.1/")))


@pytest.mark.parametrize(("version", "app"), RECORDINGS)
def test_each_question_ends_as_it_did(version: str, app: str) -> None:
    played = _played(version, app)
    expected = {"app_chat": 4, "app_form": 4, "app_misc": 2, "app_chatfile": 2}[app]
    assert len(played) == (0 if (version, app) == WITHOUT_QUESTIONS else expected)
    for asked in played:
        ended = asked.ended
        if asked.prompt.text in FAILS:
            assert ended.outcome is Outcome.FAILED
            assert ended.kind is ErrorKind.SERVER_ERROR
            assert ended.detail == FAILS[asked.prompt.text]
        else:
            assert ended.outcome is Outcome.OK
            assert [int(n) for n in TOKEN.findall(ended.text)] == list(range(30))


@pytest.mark.parametrize(("version", "app"), RECORDINGS)
def test_the_first_text_comes_with_the_frame_of_the_answer_s_first_token(version: str, app: str) -> None:
    capture = load(version, app)
    for asked in replay(capture, StreamlitSession("http://127.0.0.1/")):
        if asked.ended.outcome is not Outcome.OK:
            continue
        token = TOKEN.search(asked.ended.text)
        assert token is not None
        frames = range(asked.first_frame, len(capture.frames))
        true_first = next(i for i in frames if token.group().encode() in capture.frames[i])
        outputs = [
            (index, signal)
            for index, signal in asked.signals
            if isinstance(signal, Output) and signal.candidate == asked.ended.answer
        ]
        assert outputs[0][0] == true_first
        grown = sum(signal.chars for _, signal in outputs)
        assert grown == len(asked.ended.text.rstrip(" ▌"))
        accepted = [index for index, signal in asked.signals if isinstance(signal, Accepted)]
        assert len(accepted) == 1
        assert accepted[0] < true_first


@pytest.mark.parametrize(("version", "app"), RECORDINGS)
def test_each_question_is_sent_as_the_recorded_client_sent_it(version: str, app: str) -> None:
    for asked in _played(version, app):
        submits = [c for c in asked.commands if isinstance(c, SendMessage) and c.submits]
        assert len(submits) == 1
        if not asked.prompt.images and app != "app_chat":
            continue  # the recorded client left the last question's image in place, ours takes it out
        ours = BackMsg()
        ours.ParseFromString(submits[0].data)
        recorded = asked.recorded_submit
        values = {w.id: w for w in ours.rerun_script.widget_states.widgets}
        assert values
        if app != "app_misc":  # its recorded client had moved sliders, too, and filled in a second field
            assert values == {w.id: w for w in recorded.widget_states.widgets}
        assert ours.rerun_script.page_script_hash == recorded.page_script_hash


@pytest.mark.parametrize("version", VERSIONS)
def test_an_image_outside_a_form_is_uploaded_and_seen_before_the_question(version: str) -> None:
    asked = _played(version, "app_form")[1]
    request, put, rerun, submit = asked.commands
    assert [type(c) for c in asked.commands] == [SendMessage, HttpPut, SendMessage, SendMessage]
    assert isinstance(request, SendMessage)
    assert isinstance(put, HttpPut)
    assert isinstance(rerun, SendMessage)
    assert isinstance(submit, SendMessage)
    assert (request.submits, rerun.submits, submit.submits) == (False, False, True)
    assert put.path.startswith("/_stcore/upload_file/")
    assert asked.prompt.images[0].data in put.body


@pytest.mark.parametrize(("version", "app"), RECORDINGS)
def test_every_cut_of_a_recording_ends_in_one_failure_and_no_crash(version: str, app: str) -> None:
    capture = load(version, app)
    for length in range(1, len(capture.frames), 7):
        session = StreamlitSession("http://127.0.0.1/")
        capture_cut = type(capture)(capture.frames[:length], [s for s in capture.sent if s[0] < length])
        list(replay(capture_cut, session))
        ended = session.eof()
        assert len(ended) <= 1
        assert session.eof() == []
