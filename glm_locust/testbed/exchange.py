"""One HTTP exchange as ASGI gives it: the body read whole, the client watched, the truth kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from glm_locust.testbed.truth import TruthRecord
from glm_locust.testbed.wire import MAX_BODY_BYTES, ApiError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_DISCARD_BYTES = 8 * MAX_BODY_BYTES
"""So much of a body that is too large is still read, so that the client can read the refusal."""


class ClientGoneError(Exception):
    """The client closed the connection before the end."""


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.received_head_ns = time.time_ns()
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.received_ns: int | None = None
        self.first_token_ns: int | None = None
        self.prompt_id: str | None = None
        self.upstream_id: str | None = None
        self.status: int | None = None
        self.prompt_tokens: int | None = None
        self.output_tokens = 0
        self.images = 0
        self.running_at_arrival = 0
        self.waiting_at_arrival = 0
        self.gone = False
        """The client has left."""
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None

    async def body(self) -> bytes:
        """Read the whole body; raises ApiError 413 where it is too large, ClientGoneError."""
        parts: list[bytes] = []
        size = 0
        more = True
        while more and size <= _DISCARD_BYTES:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            part = message.get("body", b"")
            size += len(part)
            if size <= MAX_BODY_BYTES:
                parts.append(part)
            more = message.get("more_body", False)
        self.received_ns = time.time_ns()
        if size > MAX_BODY_BYTES:
            raise ApiError(
                413,
                f"The request body is larger than {MAX_BODY_BYTES} bytes.",
                kind="RequestEntityTooLargeError",
                headers=() if not more else ((b"connection", b"close"),),
            )
        return b"".join(parts)

    def watch(self, on_gone: Callable[[], None] | None = None) -> None:
        """From now on notice when the client leaves; `on_gone` is called then."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._wait_gone())
        if on_gone is not None:
            self._watch.add_done_callback(lambda _: on_gone())

    def unwatch(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.cancel()

    async def pause(self, seconds: float) -> None:
        """Do nothing for a while; raises ClientGoneError as soon as the client leaves."""
        assert self._watch is not None, "watch() comes first"
        await asyncio.wait({self._watch}, timeout=seconds)
        self.expect_client()

    def expect_client(self) -> None:
        """Raise ClientGoneError if the client has left."""
        if self.gone:
            raise ClientGoneError

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the response head."""
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes, *, more: bool = True) -> None:
        """Hand bytes of the response body to the socket."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def respond(self, status: int, data: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Send a whole JSON response."""
        length = str(len(data)).encode()
        await self.start(
            status, [(b"content-type", b"application/json"), (b"content-length", length), *headers]
        )
        await self.write(data, more=False)

    def truth(self, outcome: Literal["finished", "aborted", "error"]) -> TruthRecord:
        """What there is to say of the exchange, now that it is over."""
        return TruthRecord(
            prompt_id=self.prompt_id,
            upstream_id=self.upstream_id,
            received_head_ns=self.received_head_ns,
            received_ns=self.received_ns,
            first_token_ns=self.first_token_ns,
            finished_ns=time.time_ns(),
            outcome=outcome,
            status=self.status,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            images=self.images,
            running_at_arrival=self.running_at_arrival,
            waiting_at_arrival=self.waiting_at_arrival,
        )

    async def _wait_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
