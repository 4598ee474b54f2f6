"""A stand-in for a Streamlit server: replays a recording to many users, at a given pace.

`python benchmarks/streamlit_standin.py --port 8600 --ttft 0.3 --rate 50 --updates 100`

It exists so that simulated users can be measured beyond what one Streamlit process can serve. What it
sends are a real server's recorded messages; made unique are session and run ids, the question's echo,
upload addresses and a nonce at the head of each answer. The answer's text is the recorded one, repeated
to as many updates as asked for, each update the whole text so far, as Streamlit sends it. Unlike
Streamlit it never coalesces. It pings, and like Streamlit drops who does not answer or does not read.

`GET /standin/stats` tells what it did, how late its own updates were, and its CPU time.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import secrets
import sys
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httptools
import wsproto.events as ws
from wsproto.connection import Connection as WebSocketConnection
from wsproto.connection import ConnectionType

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.streamlit_recording import NONCE, Echo, Recording, framed, question_of
from glm_locust.protocols.streamlit.schema import BackMsg, ForwardMsg, Wire
from glm_locust.testbed.ports import HOST, listen

UNREAD_BYTES = 512 * 1024
"""A client for whom so much lies here unsent does not read: Streamlit drops it after 500 messages."""
PONG_TIMEOUT_S = 30.0
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
XSRF_COOKIE = "_streamlit_xsrf"


class Stats:
    """What the stand-in has done since its start."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.late: Counter[int] = Counter()
        """Updates by the power of two of 0.1 ms within which they were late."""

    def sent_late(self, seconds: float) -> None:
        """An update goes off so long after it was due."""
        self.late[int(seconds * 10_000).bit_length()] += 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `late_ms`: upper bound in ms -> updates."""
        late = {f"{0.1 * 2**power:g}": count for power, count in sorted(self.late.items())}
        return {**self.counts, "late_ms": late, "cpu_s": time.process_time(), "pid": os.getpid()}


@dataclass
class Pace:
    """When the answer comes."""

    ttft_s: float
    gap_s: float
    ping_s: float


class StandIn:
    """What all connections share."""

    def __init__(self, recording: Recording, pace: Pace) -> None:
        self.recording = recording
        self.pace = pace
        self.stats = Stats()
        self.known: set[str] = set()
        """All session ids given out: a client that names one resumes it."""
        self.active: set[str] = set()
        self.loop = asyncio.get_running_loop()

    async def serve(self, port: int) -> None:
        """Until cancelled."""
        server = await self.loop.create_server(lambda: Connection(self), sock=listen(port))
        print(f"http://{HOST}:{server.sockets[0].getsockname()[1]}/", flush=True)
        async with server:
            await server.serve_forever()


class Connection(asyncio.Protocol):
    """One TCP connection: HTTP requests, and after an upgrade one tab."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.parser = httptools.HttpRequestParser(self)
        self.tab: Tab | None = None
        self._begin()

    def _begin(self) -> None:
        self.target, self.size, self.headers = b"", 0, dict[bytes, bytes]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=UNREAD_BYTES)

    def connection_lost(self, _: Exception | None) -> None:
        if self.tab is not None:
            self.tab.end()

    def pause_writing(self) -> None:
        self.standin.stats.counts["dropped_unread"] += 1
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.tab is not None:
            self.tab.take(data)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.transport.close()

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.size += len(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._answer(self.parser.get_method(), self.target.decode().partition("?")[0])
            self._begin()

    def _answer(self, method: bytes, path: str) -> None:
        standin = self.standin
        match method, path.removeprefix("/").split("/"):
            case b"GET", ["_stcore", "health"]:
                token = f"2|{secrets.token_hex(4)}|{secrets.token_hex(16)}|{int(time.time())}"
                self._respond("200 OK", b"ok", f"Set-Cookie: {XSRF_COOKIE}={token}; Path=/\r\n")
            case b"GET", ["_stcore", "host-config"]:
                self._respond("200 OK", b'{"allowedOrigins":[],"useExternalAuthToken":false}')
            case b"GET", ["standin", "stats"]:
                self._respond("200 OK", json.dumps(standin.stats.as_dict()).encode())
            case b"PUT", ["_stcore", "upload_file", session, _]:
                token = self.headers.get(b"x-xsrftoken", b"")
                if not token or token not in self.headers.get(b"cookie", b""):
                    self._respond("403 Forbidden", b"XSRF token missing or wrong")
                elif session not in standin.active:
                    self._respond("400 Bad Request", b"Invalid session_id")
                else:
                    standin.stats.counts["uploads"] += 1
                    standin.stats.counts["upload_bytes"] += self.size
                    self._respond("204 No Content", b"")
            case _:
                self._respond("404 Not Found", b"not part of the stand-in")

    def _respond(self, status: str, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def _upgrade(self, rest: bytes) -> None:
        key = self.headers.get(b"sec-websocket-key")
        if key is None or not self.target.startswith(b"/_stcore/stream"):
            self._respond("404 Not Found", b"no websocket here")
            self.transport.close()
            return
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_KEY).digest()).decode()
        protocols = [p.strip() for p in self.headers.get(b"sec-websocket-protocol", b"").decode().split(",")]
        lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
        lines += [f"Sec-WebSocket-Protocol: {protocols[0]}"] if protocols[0] else []
        self.transport.write(
            ("HTTP/1.1 101 Switching Protocols\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()
        )
        self.tab = Tab(self.standin, self.transport, protocols[2] if len(protocols) > 2 else None)
        if rest:
            self.tab.take(rest)


class Tab:
    """One user's websocket and the answer that streams into it."""

    def __init__(self, standin: StandIn, transport: asyncio.Transport, resumed: str | None) -> None:
        self.standin = standin
        self.transport = transport
        known = resumed in standin.known
        self.session = resumed if known and resumed else str(uuid.uuid4())
        standin.known.add(self.session)
        standin.active.add(self.session)
        counts = standin.stats.counts
        counts["opened"] += 1
        counts["resumed"] += known
        counts["connections"] += 1
        self._session = self.session.encode()
        self._reader = WebSocketConnection(ConnectionType.SERVER)
        self._message = b""
        self._nonce = b""
        self._question = ""
        self._next = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unanswered_s: float | None = None
        """Since when a ping has waited for its pong."""
        self._pinger = standin.loop.call_later(standin.pace.ping_s, self._ping)

    def take(self, data: bytes) -> None:
        """Bytes of the client."""
        self._reader.receive_data(data)
        for event in self._reader.events():
            match event:
                case ws.BytesMessage(data=part, message_finished=finished):
                    self._message += part
                    if finished:
                        message, self._message = self._message, b""
                        self._answer(message)
                case ws.Ping():
                    self.transport.write(self._reader.send(event.response()))
                case ws.Pong():
                    self._unanswered_s = None
                    self.standin.stats.counts["pongs"] += 1
                case ws.CloseConnection():
                    self.standin.stats.counts["closed_by_client"] += 1
                    self.transport.write(self._reader.send(event.response()))
                    self.transport.close()
                    return
                case ws.TextMessage():
                    self._drop("dropped_garbage")
                    return

    def end(self) -> None:
        """The connection is gone."""
        self._pinger.cancel()
        self._stop()
        self.standin.active.discard(self.session)
        self.standin.stats.counts["connections"] -= 1

    def _answer(self, data: bytes) -> None:
        back = BackMsg()
        try:
            back.ParseFromString(data)
        except ValueError:
            self._drop("dropped_garbage")
            return
        match back.WhichOneof("type"):
            case "file_urls_request":
                self._offer_uploads(back.file_urls_request)
            case "rerun_script":
                self._stop()  # as Streamlit does: the run that goes on just ends
                question = question_of(back.rerun_script)
                if question is None:
                    recording = self.standin.recording
                    self._write(recording.ids.renewed(recording.opening, self._session))
                else:
                    self._begin_answer(question)
            case "stop_script":
                self._stop()

    def _offer_uploads(self, request: Wire) -> None:
        message = ForwardMsg()
        response = message.file_urls_response
        response.response_id = request.request_id
        for _ in request.file_names:
            file_id = str(uuid.uuid4())
            url = f"/_stcore/upload_file/{self.session}/{file_id}"
            response.file_urls.add(file_id=file_id, upload_url=url, delete_url=url)
        self._write(framed(message.SerializeToString()))

    def _begin_answer(self, question: str) -> None:
        standin = self.standin
        standin.stats.counts["turns"] += 1
        self._question, self._nonce, self._next = question, secrets.token_hex(4).encode(), 0
        self._write(self._filled(standin.recording.head))
        self._due = standin.loop.time() + standin.pace.ttft_s
        self._timer = standin.loop.call_at(self._due, self._update)

    def _update(self) -> None:
        standin = self.standin
        standin.stats.sent_late(max(0.0, standin.loop.time() - self._due))
        before, after = standin.recording.updates[self._next]
        standin.stats.counts["updates"] += 1
        self.transport.write(b"".join((before, self._nonce, after)))
        self._next += 1
        if self._next < len(standin.recording.updates):
            self._due += standin.pace.gap_s
            self._timer = standin.loop.call_at(self._due, self._update)
        else:
            self._timer = None
            standin.stats.counts["finished_turns"] += 1
            self._write(self._filled(standin.recording.tail))

    def _filled(self, parts: Sequence[bytes | Echo]) -> bytes:
        whole = b"".join(p.framed(self._question) if isinstance(p, Echo) else p for p in parts)
        return self.standin.recording.ids.renewed(whole.replace(NONCE.encode(), self._nonce), self._session)

    def _write(self, data: bytes) -> None:
        self.transport.write(data)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ping(self) -> None:
        now_s = self.standin.loop.time()
        if self._unanswered_s is None:
            self._unanswered_s = now_s
        elif now_s - self._unanswered_s > PONG_TIMEOUT_S:
            self._drop("dropped_no_pong")
            return
        self.transport.write(self._reader.send(ws.Ping()))
        self._pinger = self.standin.loop.call_later(self.standin.pace.ping_s, self._ping)

    def _drop(self, why: str) -> None:
        self.standin.stats.counts[why] += 1
        self.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one; it is printed")
    parser.add_argument("--version", default="1.67.0", help="of the recording in tests/captures/streamlit")
    parser.add_argument("--app", default="app_chat", help="of the recording")
    parser.add_argument("--ttft", type=float, default=0.3, help="seconds to the first update")
    parser.add_argument("--rate", type=float, default=50.0, help="updates per second")
    parser.add_argument("--updates", type=int, default=100, help="per answer")
    parser.add_argument("--ping", type=float, default=30.0, help="seconds between pings")
    given = parser.parse_args()
    recording = Recording(given.version, given.app, given.updates)
    pace = Pace(given.ttft, 1 / given.rate, given.ping)

    async def serve() -> None:
        await StandIn(recording, pace).serve(given.port)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
