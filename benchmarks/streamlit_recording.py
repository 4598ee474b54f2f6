"""A recorded answer of a real Streamlit server, prepared to be sent to many users.

Made unique for each: session and run ids, the question's echo, and a nonce at the head of the answer.
What came between two updates of the recorded answer (a late spinner) is left out.
"""

import struct
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.protocols.streamlit.answer import without_cursor
from glm_locust.protocols.streamlit.schema import ForwardMsg, Wire
from tests.protocols.streamlit.replay import load

NONCE = "0nonce00"
"""Stands in the prepared messages where each answer's own nonce goes."""
QUESTION_VALUES = ("chat_input_value", "string_trigger_value", "trigger_value")


def framed(payload: bytes) -> bytes:
    """One unmasked binary websocket frame."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x82, size) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x82, 126, size) + payload
    return struct.pack("!BBQ", 0x82, 127, size) + payload


@dataclass
class Echo:
    """A message that repeats the question."""

    message: Wire

    def framed(self, question: str) -> bytes:
        """With this question."""
        self.message.delta.new_element.markdown.body = question
        return framed(self.message.SerializeToString())


@dataclass
class Ids:
    """What of a recording belongs to its own session and runs."""

    session: bytes = b""
    runs: list[bytes] = field(default_factory=list)

    def note(self, message: Wire) -> None:
        """Collect from a `new_session`."""
        if message.WhichOneof("type") == "new_session":
            self.session = message.new_session.initialize.session_id.encode()
            run = message.new_session.script_run_id or message.metadata.run.script_run_id
            self.runs.append(run.encode())

    def renewed(self, frames: bytes, session: bytes) -> bytes:
        """The same frames for another session; all ids are as long as those they replace."""
        for run in self.runs:
            frames = frames.replace(run, str(uuid.uuid4()).encode())
        return frames.replace(self.session, session)


class Recording:
    """The first streamed answer of a recording, prepared to be sent again and again."""

    def __init__(self, version: str, app: str, updates: int) -> None:
        capture = load(version, app)
        ends = [at for at, _ in capture.sent[1:]] + [len(capture.frames)]
        self.ids = Ids()
        self.opening = self._opening(capture.frames[: ends[0]])
        for (start, sent), end in zip(capture.sent, ends, strict=True):
            messages = [ForwardMsg.FromString(frame) for frame in capture.frames[start:end]]
            chain = _streamed(messages)
            question = question_of(sent.rerun_script)
            if question is not None and len(chain) >= 3:
                break
        else:
            raise SystemExit(f"{version}/{app}: no streamed answer in this recording")
        # A form's trigger carries no text: its echo is none of a chat message's.
        bodies = _grown([messages[at].delta.new_element for at in chain], updates)
        final = messages[chain[-1]].delta.new_element.markdown.body
        self.head = list(self._parts(messages[: chain[0]], question, final, bodies[-1]))
        self.tail = list(self._parts(messages[chain[-1] + 1 :], question, final, bodies[-1]))
        template = messages[chain[0]]
        self.updates: list[tuple[bytes, bytes]] = []
        for body in bodies:
            template.delta.new_element.markdown.body = body
            before, _, after = framed(template.SerializeToString()).partition(NONCE.encode())
            self.updates.append((before, after))

    def _opening(self, frames: Sequence[bytes]) -> bytes:
        for frame in frames:
            self.ids.note(ForwardMsg.FromString(frame))
        return b"".join(map(framed, frames))

    def _parts(
        self, messages: Sequence[Wire], question: str, final: str, answer: str
    ) -> Iterator[bytes | Echo]:
        """Runs of fixed frames, and the echoes between them; the recorded answer becomes ours."""
        fixed = b""
        for message in messages:
            self.ids.note(message)
            body = message.delta.new_element.markdown.body
            if body and body == question:
                yield fixed
                yield Echo(message)
                fixed = b""
                continue
            if body and body == final:
                message.delta.new_element.markdown.body = answer
            fixed += framed(message.SerializeToString())
        yield fixed


def _streamed(messages: Sequence[Wire]) -> list[int]:
    """The indices of the messages that show an answer growing: the longest chain at one path."""
    best: list[int] = []
    for path in {tuple(message.metadata.delta_path) for message in messages}:
        chain: list[int] = []
        for at, message in enumerate(messages):
            body = without_cursor(message.delta.new_element.markdown.body)
            if not body or tuple(message.metadata.delta_path) != path:
                continue
            last = without_cursor(messages[chain[-1]].delta.new_element.markdown.body) if chain else ""
            chain = [*chain, at] if body.startswith(last) else [at]
            best = max(best, chain, key=len)
    return best


def _grown(elements: Sequence[Wire], updates: int) -> list[str]:
    """The texts of so many updates, grown by the recorded steps over and over, the last without cursor."""
    shown = [element.markdown.body for element in elements]
    texts = [without_cursor(text) for text in shown]
    cursor = shown[0].removeprefix(texts[0])
    steps = [new.removeprefix(old) for old, new in zip(["", *texts], texts, strict=False)]
    steps = [step if step.startswith(" ") else f" {step}" for step in steps if step]
    text, grown = NONCE, []
    for number in range(updates):
        text += steps[number % len(steps)]
        grown.append(text + cursor)
    grown[-1] = text
    return grown


def question_of(rerun: Wire) -> str | None:
    """The text that a message asks, empty where it only presses a button; None for no question."""
    asked = None
    for state in rerun.widget_states.widgets:
        kind = state.WhichOneof("value")
        if kind in QUESTION_VALUES:
            value = getattr(state, kind)
            asked = "" if kind == "trigger_value" else str(value.data)
    return asked
