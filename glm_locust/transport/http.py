"""GeventTransport: HTTP/1.1 for httpx on gevent sockets, with the instants of every read and write.

httpx builds requests and knows headers, auth and exceptions; this transport moves the bytes. It
goes to the server directly: HTTP_PROXY and its relatives are for stock httpx (see `client.py`).
"""

import functools
import ssl
from collections.abc import Callable, Iterator
from typing import Final

import httptools
import httpx
from gevent.lock import BoundedSemaphore

from glm_locust.transport.clock import now_ns
from glm_locust.transport.exchange import Answer, Exchange, Timeouts, attempt, head_of, read
from glm_locust.transport.failures import Step, as_httpx
from glm_locust.transport.wire import Wire, open_wire

STALE_WITHIN_NS: Final = 1_000_000_000
"""A server that closes an idle connection does so without looking at what was just sent on it. One
that takes longer than this has taken the question, and sending it again would hide a failure."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_BROKEN: Final = (OSError, EOFError, httptools.HttpParserError, httptools.HttpParserUpgrade)
_Origin = tuple[str, str, int]


class GeventTransport(httpx.BaseTransport):
    """Moves requests of one or many greenlets; idle connections are kept and used last in, first out.

    `connect` covers name lookup, TCP and TLS together; `read` and `write` are per call to the
    kernel; `pool` bounds the wait where `max_connections` are all busy (None: no such bound).
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int | None = None,
        kernel_stamps: bool = True,
    ) -> None:
        self._ssl_context = ssl_context
        self._kernel_stamps = kernel_stamps
        self._idle: dict[_Origin, list[Wire]] = {}
        self._slots = BoundedSemaphore(max_connections) if max_connections else None
        self._closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and read the head of its answer; the body is read as it is iterated."""
        exchange = request.extensions.get("exchange") or Exchange()
        timeouts: Timeouts = request.extensions.get("timeout", {})
        origin = _origin(request)
        head = head_of(request)
        self._take_slot(timeouts.get("pool"), request)
        try:
            wire, answer = self._converse(origin, head, request, exchange, timeouts)
        except BaseException:
            self._free_slot()
            raise
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(
                request,
                wire=wire,
                answer=answer,
                exchange=exchange,
                release=functools.partial(self._give_back, origin, wire),
            ),
            extensions={
                "http_version": b"HTTP/" + answer.version.encode(),
                "reason_phrase": answer.reason,
                "exchange": exchange,
            },
        )

    def close(self) -> None:
        """Close the idle connections; those in use close when their answers do."""
        self._closed = True
        for wires in self._idle.values():
            for wire in wires:
                wire.close()
        self._idle.clear()

    def _converse(
        self,
        origin: _Origin,
        head: bytes,
        request: httpx.Request,
        exchange: Exchange,
        timeouts: Timeouts,
    ) -> tuple[Wire, Answer]:
        wire = self._take_idle(origin)
        if wire is not None:
            try:
                return wire, attempt(wire, head, request, exchange, timeouts)
            except _BROKEN as error:
                if not _was_stale(error, request, exchange):
                    raise as_httpx(error, exchange.step, request) from error
                exchange.resent = True
                exchange.step = Step.CONNECT
        try:
            wire = self._open(origin, timeouts.get("connect"))
            return wire, attempt(wire, head, request, exchange, timeouts)
        except _BROKEN as error:
            raise as_httpx(error, exchange.step, request) from error

    def _open(self, origin: _Origin, timeout_s: float | None) -> Wire:
        scheme, host, port = origin
        tls = None
        if scheme == "https":
            if self._ssl_context is None:
                raise httpx.LocalProtocolError("https needs a transport with an ssl_context")
            tls = self._ssl_context
        return open_wire(host, port, tls=tls, timeout_s=timeout_s, kernel_stamps=self._kernel_stamps)

    def _take_idle(self, origin: _Origin) -> Wire | None:
        idle = self._idle.get(origin, [])
        while idle:
            wire = idle.pop()
            if wire.is_quiet():
                return wire
            wire.close()
        return None

    def _take_slot(self, timeout_s: float | None, request: httpx.Request) -> None:
        if self._slots is not None and not self._slots.acquire(timeout=timeout_s):
            raise httpx.PoolTimeout("all connections are busy", request=request)

    def _free_slot(self) -> None:
        if self._slots is not None:
            self._slots.release()

    def _give_back(self, origin: _Origin, wire: Wire, reusable: bool) -> None:
        if reusable and not self._closed:
            self._idle.setdefault(origin, []).append(wire)
        else:
            wire.close()
        self._free_slot()


class _Body(httpx.SyncByteStream):
    """The body of an answer; its exchange holds the instant of the read behind each piece."""

    def __init__(
        self,
        request: httpx.Request,
        *,
        wire: Wire,
        answer: Answer,
        exchange: Exchange,
        release: Callable[[bool], None],
    ) -> None:
        self._request = request
        self._wire = wire
        self._answer = answer
        self._exchange = exchange
        self._release: Callable[[bool], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        answer, exchange, wire = self._answer, self._exchange, self._wire
        if self._release is None:
            raise httpx.StreamClosed
        try:
            while True:
                chunks = answer.chunks
                if chunks:
                    answer.chunks = []
                    yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
                if answer.done:
                    return
                data = read(wire, exchange)
                if data:
                    answer.feed(data)
                else:
                    answer.feed_eof()
        except _BROKEN as error:
            raise as_httpx(error, exchange.step, self._request) from error

    def close(self) -> None:
        """Keep the connection if the answer was read whole, else close it."""
        release, self._release = self._release, None
        if release is not None:
            answer = self._answer
            release(answer.done and answer.keep_alive and _may_keep(self._request))


def _was_stale(error: Exception, request: httpx.Request, exchange: Exchange) -> bool:
    """Whether the connection was closed while idle, so that the server never saw the request."""
    if not isinstance(error, (ConnectionError, EOFError)) or exchange.step is Step.RECEIVE:
        return False
    if not isinstance(request.stream, httpx.ByteStream):
        return False  # a body that came piece by piece is gone
    return exchange.sent_ns is not None and now_ns() - exchange.sent_ns < STALE_WITHIN_NS


def _may_keep(request: httpx.Request) -> bool:
    return "close" not in request.headers.get("connection", "").lower()


def _origin(request: httpx.Request) -> _Origin:
    url = request.url
    if url.scheme not in _DEFAULT_PORTS:
        raise httpx.UnsupportedProtocol(f"not http or https: {url.scheme or 'no scheme'}", request=request)
    return url.scheme, url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]
