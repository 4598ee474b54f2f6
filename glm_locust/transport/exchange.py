"""One HTTP/1.1 exchange on one connection: write a request, read an answer, stamp both."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httptools
import httpx

from glm_locust.transport.clock import now_ns
from glm_locust.transport.failures import Step
from glm_locust.transport.wire import Wire

HEAD_LIMIT_BYTES: Final = 256 * 1024
"""Of all response heads of one exchange, informational ones included."""

_JOIN_BYTES: Final = 65536
_UNSAFE: Final = re.compile(rb"[\r\n\0]")

Timeouts = dict[str, float | None]
"""httpx's: connect, read, write, pool, in seconds."""


@dataclass(slots=True)
class Exchange:
    """What a transport saw of one request and its answer, filled in as it goes.

    Make one, give it as `extensions={"exchange": exchange}`, read it at any time.
    """

    on_sent: Callable[[int], None] | None = None
    """Called with `sent_ns` just before the first byte goes off."""
    step: Step = Step.CONNECT
    sent_ns: int | None = None
    """Just before the first byte of the request was written, on the connection that was answered."""
    sent_all_ns: int | None = None
    """Just after the last byte was handed to the kernel."""
    at_ns: int | None = None
    """The last read."""
    lag_us: int | None = None
    """How long what was read last had waited in the kernel; None where nobody knows."""
    bytes_out: int = 0
    """Written to the socket for this request; TLS handshakes are not counted."""
    bytes_in: int = 0
    resent: bool = False
    """The server had closed the idle connection, so the request went off again on a new one."""


class Answer:
    """Collects what llhttp reports of one answer."""

    def __init__(self, *, bodiless: bool) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.status = 0
        self.reason = b""
        self.version = "1.1"
        self.chunks: list[bytes] = []
        self.head_done = False
        self.done = False
        self.keep_alive = False
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._until_close = False

    def feed(self, data: bytes) -> None:
        """Take what was read; raises HttpParserError, HttpParserUpgrade."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.done:
                raise
            self.keep_alive = False  # the message was whole, what follows it is not our business

    def feed_eof(self) -> None:
        """The server closed; raises EOFError where its message was not whole."""
        if not (self.head_done and self._until_close):
            raise EOFError("connection closed before the message was complete")
        self.done = True

    def on_message_begin(self) -> None:
        """Callback of llhttp."""
        if self.done:
            self.keep_alive = False

    def on_status(self, reason: bytes) -> None:
        """Callback of llhttp."""
        if not self.done:
            self.reason = reason

    def on_header(self, name: bytes, value: bytes | None) -> None:
        """Callback of llhttp."""
        if not self.head_done:
            self.headers.append((name, value or b""))

    def on_headers_complete(self) -> None:
        """Callback of llhttp."""
        if self.done:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200 and self.status != httpx.codes.SWITCHING_PROTOCOLS:
            self.headers = []
            return
        self.version = self._parser.get_http_version()
        self.head_done = True
        framed = {name.lower(): value.lower() for name, value in self.headers}
        chunked = framed.get(b"transfer-encoding", b"").endswith(b"chunked")
        self._until_close = not chunked and b"content-length" not in framed
        if self._bodiless:
            self._finish()

    def on_body(self, data: bytes) -> None:
        """Callback of llhttp."""
        if not self.done:
            self.chunks.append(data)

    def on_message_complete(self) -> None:
        """Callback of llhttp."""
        if self.head_done and not self.done:
            self._finish()

    def _finish(self) -> None:
        self.done = True
        self.keep_alive = self._parser.should_keep_alive()


def attempt(
    wire: Wire,
    head: bytes,
    request: httpx.Request,
    exchange: Exchange,
    timeouts: Timeouts,
) -> Answer:
    """One try on one connection, which is closed unless it ends with the head of an answer."""
    answer = Answer(bodiless=request.method == "HEAD")
    try:
        wire.set_timeout(timeouts.get("write"))
        unsent: OSError | None = None
        try:
            _send(wire, head, request, exchange)
        except ConnectionError as error:
            # A server may refuse a long body before it has read it all: then its answer counts.
            unsent = error
        wire.set_timeout(timeouts.get("read"))
        try:
            _read_head(wire, answer, exchange)
        except (OSError, EOFError):
            if unsent is not None:
                raise unsent from None
            raise
    except BaseException:
        wire.close()
        raise
    if unsent is not None:
        answer.keep_alive = False
    return answer


def _send(wire: Wire, head: bytes, request: httpx.Request, exchange: Exchange) -> None:
    stream = request.stream
    if not isinstance(stream, httpx.SyncByteStream):
        raise httpx.LocalProtocolError("an asynchronous body cannot be sent here", request=request)
    chunked = request.headers.get("transfer-encoding", "").lower() == "chunked"
    before = wire.bytes_out
    exchange.step = Step.SEND
    exchange.sent_ns = at_ns = now_ns()
    if exchange.on_sent is not None:
        exchange.on_sent(at_ns)
    try:
        waiting = head
        for part in stream:
            if not part:
                continue
            piece = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
            if waiting and len(piece) <= _JOIN_BYTES:
                piece = waiting + piece
            elif waiting:
                wire.send_all(waiting)
            waiting = b""
            wire.send_all(piece)
        if chunked:
            waiting += b"0\r\n\r\n"
        if waiting:
            wire.send_all(waiting)
    finally:
        exchange.bytes_out += wire.bytes_out - before
    exchange.sent_all_ns = now_ns()
    exchange.step = Step.AWAIT


def _read_head(wire: Wire, answer: Answer, exchange: Exchange) -> None:
    came = 0
    while not answer.head_done:
        data = read(wire, exchange)
        if not data:
            answer.feed_eof()
        came += len(data)
        answer.feed(data)
        if came > HEAD_LIMIT_BYTES and not answer.head_done:
            raise httpx.RemoteProtocolError(f"no end of the response head within {HEAD_LIMIT_BYTES} bytes")


def read(wire: Wire, exchange: Exchange) -> bytes:
    """Read once and note when; empty at the end of the connection."""
    before = wire.bytes_in
    data = wire.recv()
    exchange.at_ns = wire.at_ns
    exchange.lag_us = wire.lag_us
    exchange.bytes_in += wire.bytes_in - before
    if data:
        exchange.step = Step.RECEIVE
    return data


def head_of(request: httpx.Request) -> bytes:
    """The request's head as it goes on the wire; raises httpx.LocalProtocolError for line breaks in it."""
    fields: list[tuple[bytes, bytes]] = [
        (name, value) for name, value in request.headers.raw if name.lower() != b"accept-encoding"
    ]
    # A compressed stream would be decoded block by block, and its texts would come late and together.
    fields.append((b"Accept-Encoding", b"identity"))
    target = request.url.raw_path
    if _UNSAFE.search(target) or any(_UNSAFE.search(name + value) for name, value in fields):
        raise httpx.LocalProtocolError("a header or the URL holds a line break", request=request)
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), target)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"
