"""A model server without a model: every question gets the same tokens at the same pace, at once.

OpenAI's chat completions as SSE and nothing else; never the bottleneck of what is measured in front.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

import httptools

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.testbed.ports import listen

_LISTED = b'{"object":"list","data":[{"id":"steady","object":"model"}]}'
MODELS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_LISTED),
    _LISTED,
)
"""What every GET is answered: the list of models, and a sign of life."""


class Exchange(asyncio.Protocol):
    """One connection; one answer at a time."""

    def __init__(self, chunks: list[bytes], ttft_s: float, gap_s: float) -> None:
        self._chunks = chunks
        self._ttft_s = ttft_s
        self._gap_s = gap_s
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._next = 0
        self._due_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(MODELS)
            return
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._transport.write(head)
        self._next = 0
        self._due_s = self._loop.time() + self._ttft_s
        self._loop.call_at(self._due_s, self._token)

    def _token(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self._chunks[self._next])
        self._next += 1
        if self._next < len(self._chunks):
            self._due_s += self._gap_s
            self._loop.call_at(self._due_s, self._token)


def chunks_of(tokens: int) -> list[bytes]:
    """The answer's pieces of a chunked body, the last with the end of everything."""
    chunks = []
    for number in range(tokens):
        choice = {"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}
        chunks.append(_chunk(json.dumps({"choices": [choice]})))
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks[-1] += _chunk(json.dumps({"choices": [end]})) + _chunk("[DONE]") + b"0\r\n\r\n"
    return chunks


def _chunk(data: str) -> bytes:
    event = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(event), event)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ttft", type=float, default=0.3, help="seconds to the first token")
    parser.add_argument("--rate", type=float, default=50.0, help="tokens per second")
    parser.add_argument("--tokens", type=int, default=100, help="per answer")
    given = parser.parse_args()
    chunks = chunks_of(given.tokens)

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        sock = listen(given.port)
        server = await loop.create_server(lambda: Exchange(chunks, given.ttft, 1 / given.rate), sock=sock)
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
