"""The websocket edge against a server that writes what it is told, byte by byte where it matters."""

import base64
import contextlib
import hashlib
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import trustme
from gevent import socket
from gevent.server import StreamServer
from gevent.ssl import SSLContext

from glm_locust.errors import RemoteProtocolError
from glm_locust.records import ErrorKind
from glm_locust.transport.clock import now_ns
from glm_locust.transport.failures import Step, explain
from glm_locust.transport.websocket import (
    BROKEN,
    ClosedError,
    HandshakeRefusedError,
    WebSocket,
    connect,
)

SECOND = 1_000_000_000
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
Script = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.head = b""
        while b"\r\n\r\n" not in self.head:
            data = sock.recv(4096)
            if not data:
                return
            self.head += data

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}

    def accept(self, more: bytes = b"") -> None:
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {digest}\r\n"
        )
        if "sec-websocket-protocol" in self.headers:
            answer += "Sec-WebSocket-Protocol: streamlit\r\n"
        self.sock.sendall(answer.encode() + b"\r\n" + more)

    def receive(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        mask = self._exactly(4)
        data = self._exactly(length)
        return head[0] & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(data))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def frame(data: bytes, opcode: int = BINARY, *, fin: bool = True) -> bytes:
    head = bytes([opcode | (0x80 if fin else 0)])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    return head + b"\x7e" + struct.pack(">H", len(data)) + data


@contextlib.contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    def handle(sock: Any, _: Any) -> None:
        with contextlib.suppress(OSError, EOFError):
            script(Peer(sock))

    server = StreamServer(("127.0.0.1", 0), handle, **({"ssl_context": tls} if tls else {}))
    server.start()
    try:
        yield f"{'wss' if tls else 'ws'}://127.0.0.1:{server.server_port}/stream"
    finally:
        server.stop(timeout=0)


@contextlib.contextmanager
def connected(script: Script, **options: Any) -> Iterator[WebSocket]:
    with serving(script) as url, connect(url, **options) as ws:
        yield ws


def soon(seconds: float = 10) -> int:
    return now_ns() + int(seconds * SECOND)


def hold(peer: Peer) -> None:
    with contextlib.suppress(EOFError):
        while peer.receive()[0] != CLOSE:
            pass


def test_a_message_written_byte_by_byte_is_stamped_when_its_last_byte_has_come() -> None:
    written: list[int] = []

    def script(peer: Peer) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.accept()
        peer.receive()
        for byte in frame(b"hello"):
            written.append(now_ns())
            peer.sock.sendall(bytes([byte]))
            gevent.idle()
        hold(peer)

    with connected(script) as ws:
        ws.send(b"go")
        message = ws.receive(soon())
    assert message is not None
    assert message.data == b"hello"
    assert message.at_ns > written[-1]


def test_messages_that_come_with_the_handshake_and_in_one_read_are_all_delivered_in_order() -> None:
    def script(peer: Peer) -> None:
        peer.accept(frame(b"one") + frame(b"") + frame(b"3" * 5000))
        hold(peer)

    with connected(script) as ws:
        received = [ws.receive(soon()) for _ in range(3)]
    assert [m.data for m in received if m] == [b"one", b"", b"3" * 5000]


@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are Linux'")
def test_the_kernel_s_stamp_shows_how_late_we_read() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.receive()
        peer.sock.sendall(frame(b"late"))
        hold(peer)

    with connected(script) as ws:
        ws.send(b"go")
        begun = now_ns()
        while now_ns() - begun < SECOND // 20:  # our greenlet is busy, the message waits in the kernel
            gevent.idle()
        message = ws.receive(soon())
    assert message is not None
    assert message.lag_us is not None
    assert 0 <= message.lag_us * 1000 <= message.at_ns - begun


def test_fragments_with_a_ping_between_make_one_message_and_the_ping_is_answered() -> None:
    heard: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(frame(b"hel", fin=False) + frame(b"are you there", PING) + frame(b"lo", 0))
        heard.append(peer.receive())
        peer.sock.sendall(frame(b"done"))
        hold(peer)

    with connected(script) as ws:
        first, second = ws.receive(soon()), ws.receive(soon())
    assert first is not None
    assert first.data == b"hello"
    assert second is not None
    assert heard == [(PONG, b"are you there")]


def test_a_server_that_only_pings_does_not_hold_back_the_deadline() -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        while True:
            peer.sock.sendall(frame(b"", PING))
            peer.receive()

    with connected(script) as ws:
        due = soon(0.2)
        assert ws.receive(due) is None
        assert now_ns() >= due


def test_a_message_half_read_at_the_deadline_is_continued_by_the_next_call() -> None:
    def script(peer: Peer) -> None:
        whole = frame(b"x" * 300)
        peer.accept(whole[:100])
        peer.receive()
        peer.sock.sendall(whole[100:])
        hold(peer)

    with connected(script) as ws:
        assert ws.receive(soon(0.1)) is None
        assert ws.receive(now_ns()) is None  # a deadline in the past only looks
        ws.send(b"go")
        message = ws.receive(soon())
    assert message is not None
    assert message.data == b"x" * 300


@pytest.mark.parametrize(
    ("payload", "code", "words"),
    [
        (struct.pack(">H", 1012), 1012, "websocket closed by the server with code 1012 (service restart)"),
        (struct.pack(">H", 4001) + b"bye\x00now", 4001, "with code 4001 (bye now)"),
        (b"", None, "websocket closed by the server"),
    ],
)
def test_a_closing_server_is_quoted(payload: bytes, code: int | None, words: str) -> None:
    script: Script = lambda peer: peer.accept(frame(payload, CLOSE))  # noqa: E731
    with connected(script) as ws, pytest.raises(ClosedError) as caught:
        ws.receive(soon())
    assert caught.value.code == code
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("sends", "kind"),
    [
        pytest.param(b"", ErrorKind.TRUNCATED, id="the connection just ends"),
        pytest.param(frame(b"x" * 200)[:50], ErrorKind.TRUNCATED, id="it ends inside a message"),
        pytest.param(b"\xf2\x01x", ErrorKind.PROTOCOL, id="reserved bits are set"),
        pytest.param(b"\x83\x01x", ErrorKind.PROTOCOL, id="an opcode that does not exist"),
        pytest.param(frame(b"x", 0), ErrorKind.PROTOCOL, id="a continuation of nothing"),
        pytest.param(frame(b"text", TEXT), ErrorKind.PROTOCOL, id="a text message"),
        pytest.param(b"\x82\x7f" + b"\x7f" * 8 + b"x" * 3000, ErrorKind.PROTOCOL, id="a message of exabytes"),
    ],
)
def test_what_breaks_a_connection_has_its_kind(sends: bytes, kind: ErrorKind) -> None:
    script: Script = lambda peer: peer.accept(sends)  # noqa: E731
    with connected(script, max_message_bytes=2000) as ws, pytest.raises(BROKEN) as caught:
        ws.receive(soon())
    assert explain(caught.value, Step.RECEIVE).kind is kind


def test_the_size_limit_is_per_message() -> None:
    def script(peer: Peer) -> None:
        peer.accept(b"".join(frame(b"x" * 900) for _ in range(5)) + frame(b"y" * 1100))
        hold(peer)

    with connected(script, max_message_bytes=1000) as ws:
        for _ in range(5):
            assert ws.receive(soon()) is not None
        with pytest.raises(RemoteProtocolError, match="more than 1000 bytes"):
            ws.receive(soon())


@pytest.mark.parametrize(
    ("answer", "status", "location"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret", 403, None),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, None),
        (b"HTTP/1.1 302 Found\r\nLocation: /login?next=x\r\nContent-Length: 0\r\n\r\n", 302, "/login?next=x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", 200, None),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", None, None),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            None,
            None,
        ),
    ],
)
def test_a_refused_handshake_says_by_which_status(
    answer: bytes, status: int | None, location: str | None
) -> None:
    script: Script = lambda peer: peer.sock.sendall(answer)  # noqa: E731
    with serving(script) as url, pytest.raises(HandshakeRefusedError) as caught:
        connect(url)
    assert caught.value.status == status
    assert caught.value.location == location
    assert "secret" not in str(caught.value)


def test_a_handshake_without_an_answer_ends_in_time() -> None:
    with serving(hold) as url, pytest.raises(TimeoutError):
        connect(url, timeout_s=0.2)


def test_a_handshake_that_is_cut_off_is_a_lost_connection() -> None:
    with (
        serving(lambda peer: peer.sock.sendall(b"HTTP/1.1 101 Swi")) as url,
        pytest.raises(ConnectionError) as caught,
    ):
        connect(url)
    assert explain(caught.value, Step.CONNECT).kind is ErrorKind.CONNECT


def test_the_handshake_carries_what_a_browser_sends() -> None:
    seen: dict[str, str] = {}

    def script(peer: Peer) -> None:
        seen.update(peer.headers)
        peer.accept()
        hold(peer)

    options = {
        "headers": {"Authorization": "token abc"},
        "cookie": "a=1; b=2",
        "origin": "http://page.example",
        "subprotocols": ["streamlit", "xsrf", "session"],
    }
    with connected(script, **options):
        pass
    assert seen["authorization"] == "token abc"
    assert seen["cookie"] == "a=1; b=2"
    assert seen["origin"] == "http://page.example"
    assert seen["sec-websocket-protocol"].replace(" ", "") == "streamlit,xsrf,session"
    assert "sec-websocket-extensions" not in seen


def test_over_tls_messages_and_stamps_come_as_well(tmp_path: Any) -> None:
    authority = trustme.CA()
    server = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def script(peer: Peer) -> None:
        peer.accept()
        _, data = peer.receive()
        peer.sock.sendall(frame(data * 2) + frame(b"second"))
        hold(peer)

    with serving(script, server) as url:
        with connect(url, tls=trusting) as ws:
            ws.send(b"ab")
            first, second = ws.receive(soon()), ws.receive(soon())
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(url, tls=ssl.create_default_context())
    assert first is not None
    assert second is not None
    assert (first.data, second.data) == (b"abab", b"second")
    if sys.platform == "linux":
        assert first.lag_us is not None
