"""A server whose every byte a test writes itself, on a port of its own."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer
from gevent.ssl import SSLContext, SSLSocket

PATIENCE_S = 20.0
"""After this long a test that waits is broken."""


class Received(NamedTuple):
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    head_bytes: int


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, server: "ScriptedServer") -> None:
        self.sock = sock
        self.server = server
        self._buffer = b""

    def read_request(self) -> Received | None:
        """The next whole request; None where the client has closed."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._more():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while not body.endswith(b"0\r\n\r\n"):
                body += self._take_or_wait()
        while len(body) < int(headers.get("content-length", 0)):
            body += self._take_or_wait()
        method, target, _ = first.split(" ")
        received = Received(method, target, headers, body, len(head) + 4)
        self.server.requests.append(received)
        return received

    def send(self, *parts: bytes) -> None:
        """Write each part by itself; the client may get them in one read all the same."""
        for part in parts:
            self.sock.sendall(part)

    def wait_for_close(self) -> None:
        """Until the client has closed or reset the connection."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def _take_or_wait(self) -> bytes:
        if not self._buffer:
            self._more()
        taken, self._buffer = self._buffer, b""
        return taken

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)


Script = Callable[[Peer], None]


class ScriptedServer:
    """The n-th connection runs the n-th script, and the last one all further connections."""

    def __init__(self, *scripts: Script, tls: SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._scripts = scripts
        self._tls = tls
        self.host = host
        self.requests: list[Received] = []
        self.connections = 0
        self.finished = 0
        """Connections whose scripts are through."""
        self.closed = Event()
        """Set whenever a script is through."""
        self._server = StreamServer((host, 0), self._serve)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(timeout=1)

    def wait_finished(self, connections: int) -> None:
        """Until so many connections have been closed."""
        while self.finished < connections:
            self.closed.clear()
            self.closed.wait()

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def _serve(self, sock: socket.socket, _address: object) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with contextlib.suppress(ConnectionError):
                script(Peer(sock, self))
        except ssl.SSLError:
            pass  # the client did not like our certificate: what the test is about
        finally:
            if isinstance(sock, SSLSocket):
                # Say goodbye, but do not wait for the client's.
                sock.settimeout(0.0)
                with contextlib.suppress(OSError, ValueError):
                    sock.unwrap()
            sock.close()
            self.finished += 1
            self.closed.set()


def respond(
    *parts: bytes, content_type: str = "text/event-stream", status: str = "200 OK", times: int = 1
) -> Script:
    """A script: answer `times` requests with these parts, each a chunk, and keep the connection."""

    def script(peer: Peer) -> None:
        for _ in range(times):
            if peer.read_request() is None:
                return
            peer.send(chunked_head(content_type, status), *(chunk(part) for part in parts), LAST_CHUNK)
        peer.wait_for_close()

    return script


LAST_CHUNK = b"0\r\n\r\n"


def chunked_head(content_type: str = "text/event-stream", status: str = "200 OK") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Fail instead of hanging."""
    with gevent.Timeout(PATIENCE_S, AssertionError("the test hangs")):
        yield
