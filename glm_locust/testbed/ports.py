"""Ports of the testbed, all on the loopback address."""

import socket

from glm_locust.errors import ConfigError

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listening socket, on a free port for 0; raises ConfigError where the port is taken."""
    # The protocol is named so that asyncio knows it is TCP and switches Nagle's algorithm off.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(1024)
    except OSError as error:
        sock.close()
        raise ConfigError(f"cannot listen on {HOST}:{port}: {error.strerror}") from None
    return sock


def available_port(port: int) -> int:
    """`port` itself, or a free one for 0, for a server that has to bind it itself.

    Raises ConfigError where the port is taken. Somebody else may still take it afterwards.
    """
    with listen(port) as sock:
        chosen: int = sock.getsockname()[1]
    return chosen
