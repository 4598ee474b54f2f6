"""The server whose truth is known: streams tokens at a pace and writes down when each one left.

One process with one thread, so that a stamp is taken right before its token is handed to the kernel;
when a request came is the kernel's word. What the server does late is in its stamps, so its lateness is
no error of the client's.
"""

import argparse
import contextlib
import heapq
import json
import selectors
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
MODEL = "ruler"
_RECEIVE = 262_144
_SO_TIMESTAMPNS = 35
"""Linux; the module `socket` has no name for it."""
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Pace:
    """How it answers: so many tokens, the first after `ttft_ns`, the others `itl_ns` apart."""

    tokens: int
    ttft_ns: int
    itl_ns: int


@dataclass(slots=True)
class _Answer:
    number: int
    received_ns: int
    piece: bytes
    """What carries a token on this stream: the same bytes each time, made before the first is due."""
    token_ns: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Peer:
    sock: socket.socket
    pending: bytearray = field(default_factory=bytearray)
    answer: _Answer | None = None


class RulerServer:
    """Answers every POST with a stream of tokens and every GET with its list of models."""

    def __init__(self, sock: socket.socket, pace: Pace, truth: Path) -> None:
        self._pace = pace
        self._truth = truth.open("w", buffering=1 << 20)
        self._selector = selectors.DefaultSelector()
        self._listener = sock
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, None)
        self._due: list[tuple[int, int, _Peer]] = []
        self._answers = 0

    def serve(self) -> None:
        """Serve until an exception, such as KeyboardInterrupt, ends it; then the truth is complete."""
        try:
            while True:
                self._turn()
        finally:
            self._truth.close()

    def _turn(self) -> None:
        wait_s = max(0.0, (self._due[0][0] - time.time_ns()) * 1e-9) if self._due else None
        # epoll counts in ms and rounds up: the last one is waited for by asking again and again.
        for key, _ in self._selector.select(None if wait_s is None else max(0.0, wait_s - 0.001)):
            if key.data is None:
                self._accept()
            else:
                self._receive(key.data)
        while self._due and self._due[0][0] <= time.time_ns():
            due_ns, _, peer = heapq.heappop(self._due)
            self._step(peer, due_ns)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # no Linux, no stamps
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._selector.register(sock, selectors.EVENT_READ, _Peer(sock))

    def _receive(self, peer: _Peer) -> None:
        try:
            data, ancillary, _, _ = peer.sock.recvmsg(_RECEIVE, _ANCILLARY)
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._drop(peer)
            return
        received_ns = _arrival_ns(ancillary)
        peer.pending += data
        if peer.answer is None and (verb := _whole_request(peer.pending)):
            peer.pending.clear()
            if verb == b"POST":
                self._begin(peer, received_ns)
            else:
                self._send(peer, _MODELS)

    def _begin(self, peer: _Peer, received_ns: int) -> None:
        self._answers += 1
        peer.answer = _Answer(self._answers, received_ns, _event(self._answers, {"content": "token "}))
        self._plan(peer, received_ns + self._pace.ttft_ns)
        self._send(peer, _HEAD + _event(self._answers, {"role": "assistant", "content": ""}))

    def _plan(self, peer: _Peer, due_ns: int) -> None:
        assert peer.answer is not None
        heapq.heappush(self._due, (due_ns, peer.answer.number, peer))

    def _step(self, peer: _Peer, due_ns: int) -> None:
        answer = peer.answer
        if answer is None:
            return  # the client has gone
        answer.token_ns.append(time.time_ns())
        self._send(peer, answer.piece)
        if len(answer.token_ns) < self._pace.tokens:
            self._plan(peer, due_ns + self._pace.itl_ns)
            return
        usage = {"prompt_tokens": 8, "completion_tokens": self._pace.tokens}
        self._send(peer, _event(answer.number, {}, "stop") + _event(answer.number, None, None, usage) + _DONE)
        line = {"id": _id(answer.number), "received_ns": answer.received_ns, "token_ns": answer.token_ns}
        self._truth.write(json.dumps(line) + "\n")
        peer.answer = None

    def _send(self, peer: _Peer, data: bytes) -> None:
        try:
            whole = peer.sock.send(data) == len(data)
        except OSError:
            whole = False
        if not whole:  # who does not read a few kB is not measuring any more
            self._drop(peer)

    def _drop(self, peer: _Peer) -> None:
        peer.answer = None
        if peer.sock.fileno() >= 0:
            self._selector.unregister(peer.sock)
            peer.sock.close()


def _arrival_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    """When the kernel had what was read; now, where it does not tell."""
    for level, kind, data in ancillary:
        if (level, kind, len(data)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _TIMESPEC.size):
            seconds, ns = _TIMESPEC.unpack(data)
            return int(seconds) * 1_000_000_000 + int(ns)
    return time.time_ns()


def _whole_request(data: bytearray) -> bytes:
    """The verb of the request once all of it is there; else nothing."""
    end = data.find(_END_OF_HEAD)
    if end < 0:
        return b""
    head = bytes(data[:end])
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0
    )
    return head.split(b" ", 1)[0] if len(data) >= end + len(_END_OF_HEAD) + length else b""


def _id(number: int) -> str:
    return f"ruler-{number}"


def _event(
    number: int, delta: dict[str, str] | None, finish: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event: dict[str, Any] = {"id": _id(number), "object": "chat.completion.chunk", "created": 0}
    event |= {"model": MODEL, "choices": choices, **({} if usage is None else {"usage": usage})}
    return _chunk(b"data: " + json.dumps(event).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_DONE = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_LIST = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
_MODELS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_LIST),
    _LIST,
)


def main() -> int:
    """Run it until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--ttft-ms", type=float, default=200)
    parser.add_argument("--itl-ms", type=float, default=20)
    parser.add_argument("--truth", type=Path, required=True, help="file for a line of JSON per answer")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pace = Pace(args.tokens, round(args.ttft_ms * 1e6), round(args.itl_ms * 1e6))
    server = RulerServer(socket.create_server((HOST, args.port), backlog=1024), pace, args.truth)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
