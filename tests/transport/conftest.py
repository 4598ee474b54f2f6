"""A kernel that stamps what arrives, from the first test on."""

import contextlib
import socket
import sys
import time
from collections.abc import Iterator

import pytest

SO_TIMESTAMPNS = 35
DEADLINE_S = 60.0


@pytest.fixture(scope="session", autouse=True)
def stamping_kernel() -> Iterator[None]:
    """Linux begins to stamp a little after the first socket has asked for it: one asks, and stays."""
    if sys.platform != "linux":
        yield
        return
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        sender = opened.enter_context(socket.create_connection(listener.getsockname()))
        reader = opened.enter_context(listener.accept()[0])
        reader.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        end = time.monotonic() + DEADLINE_S
        stamped = False
        while not stamped and time.monotonic() < end:
            sender.sendall(b"x")
            stamped = bool(reader.recvmsg(1, 128)[1])
        yield
