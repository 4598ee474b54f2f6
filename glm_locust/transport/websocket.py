"""WebSocket: a client connection on our own wire, every message stamped with the read that completed it.

websocket-client does the handshake and the frames. It never offers compression, so what arrives is
what was sent. Control frames are answered here, while reading: with its own loop a server that pings
every second would keep a deadline from ever passing.
"""

import contextlib
import ssl
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx
import websocket
from websocket import ABNF

from glm_locust.errors import ProtocolError, RemoteProtocolError, one_line
from glm_locust.records import ErrorKind
from glm_locust.transport.clock import now_ns
from glm_locust.transport.observer import Observer
from glm_locust.transport.wire import Wire, open_wire

MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024
SEND_TIMEOUT_S: Final = 60.0
BROKEN: Final = (OSError, EOFError, RemoteProtocolError, websocket.WebSocketException)
"""What a connection raises that has broken or been closed; `failures.explain` knows them all."""
_GOODBYE_S: Final = 1.0
_GOING_AWAY: Final = 1001

_CLOSE_CODES: Final[Mapping[int, tuple[str, ErrorKind | None]]] = {
    1000: ("normal", None),
    1001: ("going away", None),
    1002: ("protocol error", ErrorKind.PROTOCOL),
    1003: ("unsupported data", ErrorKind.PROTOCOL),
    1007: ("invalid data", ErrorKind.PROTOCOL),
    1008: ("policy violation", ErrorKind.REJECTED),
    1009: ("message too big", ErrorKind.REJECTED),
    1011: ("internal error", ErrorKind.SERVER_ERROR),
    1012: ("service restart", None),
    1013: ("try again later", ErrorKind.REJECTED),
}
"""Code -> what it means, and what a question that it ends has failed by; None: as any lost connection."""


class HandshakeRefusedError(ProtocolError):
    """The server answered the handshake with something other than a websocket."""

    def __init__(self, text: str, status: int | None = None, location: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.location = location
        """Where a redirection points to."""


class ClosedError(EOFError):
    """The server has closed the websocket; the text says how."""

    def __init__(self, code: int | None, reason: str) -> None:
        words, self.kind = _CLOSE_CODES.get(code or 0, ("", None))
        said = one_line(reason, 120) or words
        named = f" with code {code}" if code is not None else ""
        super().__init__(f"websocket closed by the server{named}{f' ({said})' if said else ''}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Message:
    """One whole message and when it had arrived."""

    data: bytes
    at_ns: int
    lag_us: int | None
    """How long it had been in the kernel by then; None without kernel stamps."""


class WebSocket:
    """An open connection; one greenlet reads, and the same one sends."""

    def __init__(self, stream: "_Stream", protocol: Any, observer: Observer | None = None) -> None:
        self._stream = stream
        self._protocol = protocol
        self._observer = observer

    @property
    def bytes_in(self) -> int:
        """Bytes of frames and handshake read so far."""
        return self._stream.wire.bytes_in

    @property
    def bytes_out(self) -> int:
        """Bytes of frames and handshake written so far."""
        return self._stream.wire.bytes_out

    def send(self, data: bytes) -> None:
        """Send one binary message; raises OSError."""
        if self._observer is not None:
            self._observer.message(now_ns(), data, outgoing=True)
        self._protocol.send_binary(data)

    def receive(self, until_ns: int) -> Message | None:
        """The next message, None once `until_ns` has passed without a whole one.

        Pings are answered meanwhile; a message half read is continued by the next call. Raises
        ClosedError, OSError, RemoteProtocolError, websocket.WebSocketException.
        """
        self._stream.until_ns = until_ns
        while True:
            try:
                frame = self._protocol.recv_frame()
            except websocket.WebSocketTimeoutException:
                return None
            match frame.opcode:
                case ABNF.OPCODE_PING:
                    self._protocol.pong(frame.data)
                case ABNF.OPCODE_PONG:
                    pass
                case ABNF.OPCODE_CLOSE:
                    raise self._closed(frame.data)
                case _:
                    data = self._assemble(frame)
                    if data is not None:
                        self._stream.taken_bytes = 0
                        if self._observer is not None:
                            self._observer.message(self._stream.wire.at_ns, data, outgoing=False)
                        return Message(data, self._stream.wire.at_ns, self._stream.wire.lag_us)

    def close(self) -> None:
        """Say goodbye and close at once, without waiting for the server's own goodbye."""
        wire = self._stream.wire
        try:
            with contextlib.suppress(OSError, websocket.WebSocketException):
                self._stream.send_timeout_s = _GOODBYE_S
                self._protocol.send_close(_GOING_AWAY)
        finally:
            wire.close()

    def _assemble(self, frame: Any) -> bytes | None:
        parts = self._protocol.cont_frame
        parts.validate(frame)
        parts.add(frame)
        if not parts.is_fire(frame):
            return None
        opcode, whole = parts.extract(frame)
        if opcode != ABNF.OPCODE_BINARY:
            raise RemoteProtocolError("a text message where only binary ones are spoken")
        return bytes(whole.data)

    def _closed(self, payload: bytes) -> ClosedError:
        code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else None
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._stream.send_timeout_s = _GOODBYE_S
            self._protocol.send_close(code or 1000)
        closed = ClosedError(code, payload[2:].decode(errors="replace"))
        if self._observer is not None:
            self._observer.closed(self._stream.wire.at_ns, str(closed))
        return closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    url: str,
    *,
    tls: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
    cookie: str | None = None,
    origin: str | None = None,
    subprotocols: Sequence[str] = (),
    timeout_s: float = 10.0,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    kernel_stamps: bool = True,
    observer: Observer | None = None,
) -> WebSocket:
    """Open a websocket at a ws:// or wss:// URL, all within `timeout_s`.

    `tls` is used for wss only. Raises HandshakeRefusedError, OSError, ssl.SSLError, TimeoutError.
    """
    until_ns = now_ns() + round(timeout_s * 1e9)
    place = httpx.URL(url)
    secure = place.scheme == "wss"
    wire = open_wire(
        place.raw_host.decode("ascii"),
        place.port or (443 if secure else 80),
        tls=tls if secure else None,
        timeout_s=timeout_s,
        kernel_stamps=kernel_stamps,
    )
    stream = _Stream(wire, until_ns, max_message_bytes)
    protocol: Any = websocket.WebSocket(enable_multithread=False, skip_utf8_validation=True)
    if observer is not None:
        observer.request(now_ns(), "GET", place.raw_path.decode("ascii"), 0)
    try:
        protocol.connect(
            str(place),
            socket=stream,
            header=[f"{name}: {value}" for name, value in (headers or {}).items()],
            cookie=cookie,
            origin=origin,
            suppress_origin=origin is None,
            subprotocols=list(subprotocols),
            redirect_limit=0,
        )
    except websocket.WebSocketException as error:
        wire.close()
        refusal = _meaning(error, protocol.handshake_response)
        if observer is not None:
            status = refusal.status if isinstance(refusal, HandshakeRefusedError) else None
            if status is None:
                observer.closed(now_ns(), str(refusal))
            else:
                observer.response(wire.at_ns, status, "")
        raise refusal from error
    except BaseException:
        wire.close()
        raise
    if observer is not None:
        observer.response(wire.at_ns, protocol.handshake_response.status, "")
    stream.taken_bytes = 0
    stream.announced_bytes = lambda: protocol.frame_buffer.length
    return WebSocket(stream, protocol, observer)


def _meaning(error: websocket.WebSocketException, answer: Any) -> Exception:
    """What a failed handshake is in our words; `answer` is its response head, None for none."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        status = error.status_code
        return HandshakeRefusedError(f"websocket refused with HTTP status {status}", status)
    if isinstance(error, websocket.WebSocketTimeoutException):
        return TimeoutError("no answer to the websocket handshake")
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return ConnectionResetError("connection closed during the websocket handshake")
    if answer is not None and answer.status != httpx.codes.SWITCHING_PROTOCOLS:
        text = f"websocket redirected with HTTP status {answer.status}"
        return HandshakeRefusedError(text, answer.status, answer.headers.get("location"))
    return HandshakeRefusedError(one_line(f"not a websocket: {error}", 160))


class _Stream:
    """A wire as websocket-client wants it, with one deadline over all its reads."""

    def __init__(self, wire: Wire, until_ns: int, max_message_bytes: int) -> None:
        self.wire = wire
        self.until_ns = until_ns
        self.send_timeout_s = SEND_TIMEOUT_S
        self.taken_bytes = 0
        """Handed over since the last whole message."""
        self.announced_bytes: Callable[[], int | None] = lambda: None
        """How long the frame that is being read says it is, once its head was read."""
        self._max_message_bytes = max_message_bytes
        self._waiting = memoryview(b"")

    def recv(self, size: int) -> bytes:
        self._expect_at_most(self.announced_bytes() or 0)
        if not self._waiting:
            # Zero would switch to non-blocking: that is what a deadline in the past means.
            self.wire.set_timeout(max(0.0, (self.until_ns - now_ns()) / 1e9))
            try:
                self._waiting = memoryview(self.wire.recv())
            except BlockingIOError:
                raise TimeoutError("the deadline has passed") from None
        taken = bytes(self._waiting[:size])
        self._waiting = self._waiting[size:]
        self.taken_bytes += len(taken)
        self._expect_at_most(self.taken_bytes)
        return taken

    def send(self, data: bytes | str) -> int:
        raw = data.encode() if isinstance(data, str) else data
        self.wire.set_timeout(self.send_timeout_s)
        self.wire.send_all(raw)
        return len(raw)

    def _expect_at_most(self, size: int) -> None:
        if size > self._max_message_bytes:
            raise RemoteProtocolError(f"a message of more than {self._max_message_bytes} bytes")

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, _: float | None) -> None:
        """The deadline rules, not websocket-client's own timeout."""

    def close(self) -> None:
        self.wire.close()
