"""A page that a test plays: real HTTP and websocket, Streamlit's messages, and what goes wrong is its own."""

import base64
import contextlib
import hashlib
import struct
from collections.abc import Callable, Iterator
from typing import Any

from gevent.server import StreamServer

from glm_locust.protocols.streamlit.schema import BackMsg, ForwardMsg, Wire
from tests.protocols.streamlit import messages

BINARY, TEXT, CLOSE = 2, 1, 8

Trouble = Callable[["Tab"], None]


class Tab:
    """The server's end of one websocket."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock

    def send(self, *datas: bytes) -> None:
        self.sock.sendall(b"".join(frame(data) for data in datas))

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def close(self, code: int, reason: str = "") -> None:
        self.sock.sendall(frame(struct.pack("!H", code) + reason.encode(), CLOSE))

    def receive(self) -> Wire | None:
        """The next message; None at the end."""
        with contextlib.suppress(EOFError):
            while True:
                opcode, data = self._frame()
                if opcode == CLOSE:
                    return None
                if opcode == BINARY:
                    message = BackMsg()
                    message.ParseFromString(data)
                    return message
        return None

    def _frame(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(self._exactly(2 if length == 126 else 8), "big")
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


class ScriptedPage:
    """A chat that answers every question with `ok`, unless there is trouble."""

    def __init__(self) -> None:
        self.trouble: Trouble | None = None
        """What happens in place of an answer."""
        self.sessions = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(timeout=0)

    def _serve(self, sock: Any, _: Any) -> None:
        with contextlib.suppress(OSError, EOFError):
            while (request := _read_head(sock)) is not None:
                target, headers = request
                if target == "/_stcore/stream":
                    sock.sendall(_accept(headers))
                    self._converse(Tab(sock))
                    return
                body = b"ok" if target == "/_stcore/health" else b"{}"
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    def _converse(self, tab: Tab) -> None:
        self.sessions += 1
        session_id = f"session-{self.sessions}"
        questions = 0
        while (message := tab.receive()) is not None:
            if message.WhichOneof("type") == "file_urls_request":
                request = message.file_urls_request
                tab.send(messages.file_urls(request.request_id, *request.file_names))
                continue
            asked = any(state.WhichOneof("value") for state in message.rerun_script.widget_states.widgets)
            if asked and self.trouble is not None:
                self.trouble(tab)
                continue
            questions += asked
            tab.send(messages.started(session_id=session_id))
            if asked:
                tab.send(*messages.said(f"0.{questions}", "assistant", f"ok {questions}"))
            tab.send(messages.element("3.0", "chat_input", id="$$ID-0-None", placeholder="Ask"))
            tab.send(messages.finished())


@contextlib.contextmanager
def scripted_page() -> Iterator[ScriptedPage]:
    page = ScriptedPage()
    page.start()
    try:
        yield page
    finally:
        page.stop()


def frame(data: bytes, opcode: int = BINARY) -> bytes:
    head = bytes([0x80 | opcode])
    if len(data) < 126:
        return head + bytes([len(data)]) + data
    return head + b"\x7e" + struct.pack("!H", len(data)) + data


def begins(tab: Tab) -> None:
    """The script starts and shows the beginning of an answer."""
    tab.send(messages.started(), *messages.said("0.9", "assistant", "the beginning"))


def auth_redirect() -> bytes:
    message = ForwardMsg()
    message.auth_redirect.url = "http://login.example/"
    return bytes(message.SerializeToString())


def _read_head(sock: Any) -> tuple[str, dict[str, str]] | None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        if not data:
            return None
        head += data
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    return first.split(" ")[1], headers


def _accept(headers: dict[str, str]) -> bytes:
    key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: streamlit\r\n\r\n"
    ).encode()
