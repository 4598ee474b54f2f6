"""A TCP relay that a test can cut."""

import contextlib
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer


class Relay:
    """Carries connections to a port of this machine until it is cut; new ones are carried again."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[Any] = []
        self._server = StreamServer(("127.0.0.1", 0), self._carry)
        self._server.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def cut(self) -> None:
        """Break every connection that stands now."""
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._open.clear()

    def close(self) -> None:
        self._server.stop(timeout=0)
        self.cut()

    def _carry(self, near: Any, _: Any) -> None:
        far = socket.create_connection(("127.0.0.1", self._target))
        self._open += [near, far]
        gevent.joinall([gevent.spawn(_copy, near, far), gevent.spawn(_copy, far, near)])


def _copy(source: Any, sink: Any) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
