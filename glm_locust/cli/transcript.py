"""Transcript: all messages of one request in order, for `glm-locust ask --explain`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glm_locust.cli.terminal import milliseconds, printable
from glm_locust.errors import RemoteProtocolError, one_line
from glm_locust.protocols.explain import SAID_LIMIT, Explained
from glm_locust.protocols.openai.explain import explain_event
from glm_locust.protocols.sse import SseSplitter
from glm_locust.protocols.streamlit.explain import explain_incoming, explain_outgoing

MESSAGE_LIMIT = 10_000
"""Messages kept for `--json`; later ones are only counted."""
_LINE_CHARS = 60


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it is told."""

    at_ns: int
    outgoing: bool
    kind: str
    size_bytes: int
    path: tuple[int, ...] | None
    said: str

    def line(self, start_ns: int) -> str:
        """As one line of a terminal."""
        size = f"{self.size_bytes:,} B" if self.size_bytes else ""
        place = "[" + ",".join(map(str, self.path)) + "] " if self.path is not None else ""
        arrow = "→" if self.outgoing else "←"
        text = f"{place}{self.kind} {_both_ends(one_line(self.said, SAID_LIMIT))}".rstrip()
        return f"{milliseconds(self.at_ns - start_ns):>10} ms {arrow} {size:>9}  {printable(text)}"

    def as_json(self, start_ns: int) -> dict[str, Any]:
        """As an object of `messages`."""
        return {
            "at_ms": round((self.at_ns - start_ns) / 1e6, 3),
            "direction": "out" if self.outgoing else "in",
            "kind": self.kind,
            "bytes": self.size_bytes,
            "path": list(self.path) if self.path is not None else None,
            "text": self.said,
        }


def _both_ends(text: str) -> str:
    """The beginning and, since texts grow at their end, the end."""
    if len(text) <= _LINE_CHARS:
        return text
    half = _LINE_CHARS // 2
    return f"{text[: half - 1]} … {text[-half + 2 :]}"


class Transcript:
    """An observer that tells each message at once, or keeps it.

    `hide` takes the secrets out of a text; it is set once the client knows them.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.start_ns: int | None = None
        """When the first message went off; times are told from here on."""
        self.messages: list[Message] = []
        self.left_out = 0
        """Messages over the limit."""
        self.hide: Callable[[str], str] = str
        self._tell = tell
        self._events: SseSplitter | None = None

    def request(self, at_ns: int, method: str, path: str, body_bytes: int) -> None:
        """Take an HTTP request."""
        self._add(at_ns, True, Explained(method, path), body_bytes)

    def response(self, at_ns: int, status: int, content_type: str) -> None:
        """Take the head of an answer."""
        streams = content_type.partition(";")[0].strip() == "text/event-stream"
        self._events = SseSplitter() if streams else None
        self._add(at_ns, False, Explained(f"HTTP {status}", content_type), 0)

    def body(self, at_ns: int, data: bytes) -> None:
        """Take a part of its body."""
        if self._events is None:
            said = "" if b"\0" in data[:1000] else data[:1000].decode(errors="replace")
            self._add(at_ns, False, Explained("body", said), len(data))
            return
        try:
            for event in self._events.feed(data):
                if event.data:
                    self._add(at_ns, False, explain_event(event.data), len(event.data))
        except RemoteProtocolError as error:
            self._add(at_ns, False, Explained("unreadable", str(error)), len(data))
            self._events = None

    def message(self, at_ns: int, data: bytes, *, outgoing: bool) -> None:
        """Take a websocket message."""
        self._add(at_ns, outgoing, (explain_outgoing if outgoing else explain_incoming)(data), len(data))

    def closed(self, at_ns: int, how: str) -> None:
        """Take the end of a websocket."""
        self._add(at_ns, False, Explained("closed", how), 0)

    def as_json(self) -> list[dict[str, Any]]:
        """The value of `messages`."""
        return [message.as_json(self.start_ns or 0) for message in self.messages]

    def _add(self, at_ns: int, outgoing: bool, explained: Explained, size_bytes: int) -> None:
        if self.start_ns is None:
            self.start_ns = at_ns
        said = self.hide(explained.said)
        message = Message(at_ns, outgoing, explained.kind, size_bytes, explained.path, said)
        if self._tell is not None:
            self._tell(message.line(self.start_ns))
        elif len(self.messages) < MESSAGE_LIMIT:
            self.messages.append(message)
        else:
            self.left_out += 1
