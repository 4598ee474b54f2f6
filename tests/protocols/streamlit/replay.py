"""Plays recorded frames to a session as a server would, and asks what the recorded user asked."""

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glm_locust.protocols import Command, HttpPut, SendMessage
from glm_locust.protocols.streamlit import StreamlitSession
from glm_locust.protocols.streamlit.schema import BackMsg, decode
from glm_locust.records import Ended, Signal
from glm_locust.workload.prompt import Image, Prompt

CAPTURES = Path(__file__).parents[2] / "captures" / "streamlit"
VERSIONS = sorted(path.name for path in CAPTURES.iterdir() if path.is_dir())


@dataclass
class Capture:
    """The frames of one recording, and after which of them the user sent what."""

    frames: list[bytes]
    sent: list[tuple[int, Any]]


@dataclass
class Asked:
    """One question of a replay: what the session made of it."""

    prompt: Prompt
    first_frame: int
    commands: list[Command] = field(default_factory=list)
    recorded_submit: Any = None
    signals: list[tuple[int, Signal]] = field(default_factory=list)
    """With the index of the frame that brought each."""

    @property
    def ended(self) -> Ended:
        return next(signal for _, signal in self.signals if isinstance(signal, Ended))


def load(version: str, app: str) -> Capture:
    data = (CAPTURES / version / f"{app}.bin").read_bytes()
    frames, starts = [], {}
    offset = 0
    while offset < len(data):
        starts[offset] = len(frames)
        (length,) = struct.unpack_from(">I", data, offset)
        frames.append(data[offset + 4 : offset + 4 + length])
        offset += 4 + length
    starts[offset] = len(frames)
    sent = []
    for at, message in json.loads((CAPTURES / version / f"{app}.backmsgs.json").read_text()):
        back = BackMsg()
        back.ParseFromString(bytes.fromhex(message))
        sent.append((starts[at], back))
    return Capture(frames, sent)


def replay(capture: Capture, session: StreamlitSession) -> Iterator[Asked]:
    """Yields each question once it has ended."""
    (_, _opening), *sent = capture.sent
    session.open()
    asked: Asked | None = None
    for index, frame in enumerate(capture.frames):
        while sent and sent[0][0] <= index:
            _, back = sent.pop(0)
            submits = _prompt_of(back)
            if asked is not None:
                if submits is not None:
                    asked.recorded_submit = back.rerun_script
                continue
            if back.WhichOneof("type") == "file_urls_request":
                texts = (_prompt_of(later) for _, later in sent)
                text = next((t for t in texts if t is not None), "never sent")
                images = tuple(_image(name) for name in back.file_urls_request.file_names)
                asked = _ask(session, Prompt("replay", text, images), index)
            elif submits is not None:
                asked = _ask(session, Prompt("replay", submits), index)
                asked.recorded_submit = back.rerun_script
        for result in session.receive(_own_request(frame, asked)):
            assert asked is not None
            if isinstance(result, SendMessage | HttpPut):
                asked.commands.append(result)
            else:
                asked.signals.append((index, result))
        if asked is not None and any(isinstance(signal, Ended) for _, signal in asked.signals):
            yield asked
            asked = None


def _ask(session: StreamlitSession, prompt: Prompt, index: int) -> Asked:
    return Asked(prompt, index, list(session.ask(prompt)))


def _prompt_of(back: Any) -> str | None:
    """The text of a recorded message that asks a question; None for all other messages."""
    widgets = back.rerun_script.widget_states.widgets
    kinds = {state.WhichOneof("value"): state for state in widgets}
    if "chat_input_value" in kinds:
        return str(kinds["chat_input_value"].chat_input_value.data)
    if "string_trigger_value" in kinds:
        return str(kinds["string_trigger_value"].string_trigger_value.data)
    if "trigger_value" not in kinds:
        return None
    texts = [state.string_value for state in widgets if state.WhichOneof("value") == "string_value"]
    asking = [text for text in texts if re.search(r"\s|^RAISE|^raise", text)]
    return str(asking[0]) if asking else "Describe the image"


def _image(name: str) -> Image:
    return Image(b"\x89PNG" + bytes(7470), "image/png", 64, 64, name)


def _own_request(frame: bytes, asked: Asked | None) -> bytes:
    """Upload addresses name the request they answer: put our own identifier there."""
    message = decode(frame)
    if asked is None or message.WhichOneof("type") != "file_urls_response":
        return frame
    ours = BackMsg()
    ours.ParseFromString(asked.commands[0].data)  # type: ignore[union-attr] # asserted by the tests
    message.file_urls_response.response_id = ours.file_urls_request.request_id
    return bytes(message.SerializeToString())
