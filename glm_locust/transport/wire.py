"""Wire: one TCP connection, plain or TLS, on a gevent socket; every read is stamped at once."""

import contextlib
import ssl
import struct
import sys
from typing import Final

import gevent
from gevent import socket

from glm_locust.transport.clock import lag_us, now_ns

READ_BYTES: Final = 65536

_SO_TIMESTAMPNS: Final = 35
"""From Linux' asm-generic/socket.h; Python has no name for it."""
_TIMESPEC: Final = struct.Struct("@qq")
_ANCILLARY_BYTES: Final = 64


class Wire:
    """A plain TCP connection.

    `at_ns` is the instant of the last read, taken right after the system call and before anything
    looks at the data; `lag_us` is how long that data had been in the kernel by then, None where
    the kernel gives no stamp. Where one read returns several segments, the stamp is the last one's.
    """

    def __init__(self, sock: socket.socket, *, kernel_stamps: bool) -> None:
        self._sock = sock
        self.at_ns = 0
        self.lag_us: int | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stamped = kernel_stamps and _ask_for_stamps(sock)

    def set_timeout(self, seconds: float | None) -> None:
        """How long one read or one `send_all` may wait before TimeoutError; None: for ever."""
        self._sock.settimeout(seconds)

    def recv(self) -> bytes:
        """What there is, or the next that comes; empty at the end."""
        if not self._stamped:
            data: bytes = self._sock.recv(READ_BYTES)
            self.at_ns = now_ns()
            self.bytes_in += len(data)
            return data
        data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, _ANCILLARY_BYTES)
        self.at_ns = now_ns()
        self.lag_us = None
        for _, kind, value in ancillary:
            if kind == _SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
                seconds, ns = _TIMESPEC.unpack(value)
                self.lag_us = lag_us(seconds * 1_000_000_000 + ns)
        self.bytes_in += len(data)
        return data

    def send_all(self, data: bytes) -> None:
        """Write all of `data`."""
        self._sock.sendall(data)
        self.bytes_out += len(data)

    def is_quiet(self) -> bool:
        """Whether an idle connection still stands: False once it was closed or said something unasked."""
        self._sock.settimeout(0.0)
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Close at once."""
        self._sock.close()


class TlsWire(Wire):
    """A TLS connection; the records are read by ourselves, so kernel stamps work here too."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, host: str, *, kernel_stamps: bool
    ) -> None:
        super().__init__(sock, kernel_stamps=kernel_stamps)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    def handshake(self) -> None:
        """Agree on keys and check the certificate; raises ssl.SSLError, OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert that tells the server why
                raise
            else:
                self._flush()
                return

    def recv(self) -> bytes:
        """All that the records read so far hold, or the next that comes; empty at the end."""
        parts: list[bytes] = []
        while True:
            try:
                part = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                if parts:
                    return b"".join(parts)
                self._flush()
                self._fill()
            except ssl.SSLError:
                # Many servers close without TLS' own goodbye; HTTP itself knows if its message was whole.
                if self._incoming.eof:
                    return b"".join(parts)
                raise
            else:
                if not part:
                    return b"".join(parts)
                parts.append(part)

    def send_all(self, data: bytes) -> None:
        """Encrypt and write all of `data`."""
        self._tls.write(data)
        self._flush()

    def is_quiet(self) -> bool:
        """Like Wire's; records without data, such as session tickets, are taken in passing."""
        self._sock.settimeout(0.0)
        while True:
            try:
                self._tls.read(1)
            except ssl.SSLWantReadError:
                try:
                    self._fill()
                except BlockingIOError:
                    return True
                except OSError:
                    return False
            except ssl.SSLError:
                return False
            else:
                return False

    def _fill(self) -> None:
        data = super().recv()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        if self._outgoing.pending:
            super().send_all(self._outgoing.read())


def open_wire(
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    timeout_s: float | None = None,
    kernel_stamps: bool = True,
) -> Wire:
    """Look up the name, connect and, with a context, shake hands, all within `timeout_s`.

    Raises TimeoutError, OSError, ssl.SSLError.
    """
    with gevent.Timeout(
        timeout_s, TimeoutError(f"no connection within {timeout_s:g} s" if timeout_s else "")
    ):
        sock = socket.create_connection((host, port))
        try:
            if tls is None:
                return Wire(sock, kernel_stamps=kernel_stamps)
            wire = TlsWire(sock, tls, host, kernel_stamps=kernel_stamps)
            wire.handshake()
        except BaseException:
            sock.close()
            raise
        return wire


def _ask_for_stamps(sock: socket.socket) -> bool:
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True
