"""Drives the engine on an asyncio loop: tokens reach their streams at the engine's time."""

import asyncio

from glm_locust.testbed.engine import Engine, Sequence
from glm_locust.testbed.telemetry import Telemetry


class TokenStream:
    """The tokens of one sequence as they come out; read by one task."""

    def __init__(self, sequence: Sequence, finish_reason: str) -> None:
        self.sequence = sequence
        self.finish_reason = finish_reason
        self.available = 0
        """Tokens that have come out so far."""
        self.first_s = 0.0
        self.last_s = 0.0
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Let `news()` return."""
        self._news.set()

    async def news(self) -> None:
        """Wait for a `notify` since the last call."""
        await self._news.wait()
        self._news.clear()


class EngineLoop:
    """One engine under the running loop's clock."""

    def __init__(self, engine: Engine, telemetry: Telemetry) -> None:
        self.engine = engine
        self._telemetry = telemetry
        self._streams: dict[Sequence, TokenStream] = {}
        self._timer: asyncio.TimerHandle | None = None

    def open(self, sequence: Sequence, finish_reason: str) -> TokenStream:
        """Submit a sequence that will end for `finish_reason`; raises QueueFullError."""
        now_s = asyncio.get_running_loop().time()
        self._advance(now_s)
        self.engine.submit(sequence, now_s)
        stream = self._streams[sequence] = TokenStream(sequence, finish_reason)
        self._arm()
        return stream

    def close(self, stream: TokenStream) -> None:
        """Abort what is not finished."""
        if self._streams.pop(stream.sequence, None) is not None:
            self.engine.abort(stream.sequence)
            self._telemetry.success["abort"].inc()
            self._arm()

    def _tick(self) -> None:
        self._timer = None
        self._advance(asyncio.get_running_loop().time())
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at_s = self.engine.next_s
        if at_s is not None:
            self._timer = asyncio.get_running_loop().call_at(at_s, self._tick)

    def _advance(self, now_s: float) -> None:
        telemetry = self._telemetry
        for token in self.engine.advance(now_s):
            stream = self._streams[token.sequence]
            stream.available += 1
            stream.notify()
            if token.index == 0:
                stream.first_s = token.at_s
                telemetry.first_token(token.sequence, token.at_s)
            else:
                telemetry.gap.observe(token.at_s - stream.last_s)
            stream.last_s = token.at_s
            telemetry.generation_tokens.inc()
            if token.last:
                telemetry.last_token(token.sequence, token.at_s, stream.first_s, stream.finish_reason)
                del self._streams[token.sequence]
