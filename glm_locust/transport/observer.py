"""Observer: is told of all that goes over a user's connections, for people who look at one request."""

from collections.abc import Iterator
from typing import Any, Protocol

import httpx

from glm_locust.transport.clock import now_ns


class Observer(Protocol):
    """Takes what was sent and read, in order; instants in ns. What it is told may hold secrets."""

    def request(self, at_ns: int, method: str, path: str, body_bytes: int) -> None:
        """An HTTP request, or a websocket's handshake, is about to go off."""

    def response(self, at_ns: int, status: int, content_type: str) -> None:
        """The head of an HTTP answer came."""

    def body(self, at_ns: int, data: bytes) -> None:
        """A part of an answer's body came."""

    def message(self, at_ns: int, data: bytes, *, outgoing: bool) -> None:
        """A whole websocket message went off or came."""

    def closed(self, at_ns: int, how: str) -> None:
        """The server closed a websocket."""


def observe(client: httpx.Client, observer: Observer) -> None:
    """Have the observer told of all requests of this client."""

    def request(request: httpx.Request) -> None:
        size = int(request.headers.get("content-length", 0))
        observer.request(now_ns(), request.method, request.url.raw_path.decode("ascii"), size)

    def response(response: httpx.Response) -> None:
        exchange = response.extensions.get("exchange")
        content_type = response.headers.get("content-type", "")
        observer.response(_at_ns(exchange), response.status_code, content_type)
        response.stream = _ObservedBody(response.stream, exchange, observer)

    client.event_hooks = {"request": [request], "response": [response]}


class _ObservedBody(httpx.SyncByteStream):
    def __init__(self, stream: Any, exchange: Any, observer: Observer) -> None:
        self._stream = stream
        self._exchange = exchange
        self._observer = observer

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            self._observer.body(_at_ns(self._exchange), piece)
            yield piece

    def close(self) -> None:
        self._stream.close()


def _at_ns(exchange: Any) -> int:
    """When it was read; stock httpx does not tell, so there it is now."""
    at_ns: int | None = getattr(exchange, "at_ns", None)
    return now_ns() if at_ns is None else at_ns
