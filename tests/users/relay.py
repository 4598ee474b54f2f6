"""A TCP relay that a test can cut, listen to, and have change what it carries."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import socket
from gevent.server import StreamServer


class Relay:
    """Carries connections to a port of this machine until it is cut; new ones are carried again.

    `change` may alter what goes to the server, `heard` is told what comes from it.
    """

    def __init__(self, port: int) -> None:
        self.change: Callable[[bytes], bytes] = bytes
        self.heard: Callable[[bytes], object] = len
        self.carrying = 0
        """Connections that stand now."""
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
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except ConnectionRefusedError:
            return
        self._open += [near, far]
        self.carrying += 1
        gevent.joinall(
            [gevent.spawn(_copy, near, far, self._changed), gevent.spawn(_copy, far, near, self._tell)]
        )
        self.carrying -= 1

    def _changed(self, data: bytes) -> bytes:
        return self.change(data)

    def _tell(self, data: bytes) -> bytes:
        self.heard(data)
        return data


def _copy(source: Any, sink: Any, carried: Callable[[bytes], bytes]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(carried(data))
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
