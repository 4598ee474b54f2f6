"""What every sans-IO protocol of ours looks like: bytes in, commands and signals out.

A session holds no socket, reads no clock and knows neither gevent nor Locust. The shell around it
carries out the commands in order, feeds what it reads to `receive` and stamps the signals.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from glm_locust.records import Signal
from glm_locust.workload.prompt import Prompt


@dataclass(frozen=True, slots=True)
class HttpPost:
    """Send this body and read the answer as a stream; the question goes off with it."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    image_bytes: int = 0
    """How many bytes of the body carry the images."""


@dataclass(frozen=True, slots=True)
class HttpPut:
    """Upload this body; the answer's status must be one of `expected_status`."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    expected_status: tuple[int, ...] = (200, 201, 204)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send one binary websocket message; `submits` marks the one that asks the question."""

    data: bytes
    submits: bool = False


Command = HttpPost | HttpPut | SendMessage


class ChatSession(Protocol):
    """One conversation by one path."""

    def ask(self, prompt: Prompt) -> Iterable[Command]:
        """Begin one question."""

    def receive(self, data: bytes) -> Iterable[Command | Signal]:
        """Take what was read: any split of the bytes of a stream, or one whole message."""

    def eof(self) -> Iterable[Signal]:
        """The server closed the conversation."""
