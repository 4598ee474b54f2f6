"""Shipping: lines go to the master in batches, again and again until it acknowledges them."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event

from glm_locust.transport.channel import Channel
from glm_locust.transport.messages import Ack, Batch, Drained, Hello, Message

BATCH_BYTES = 256 * 1024
"""A batch is closed when it reaches this size; one longer line is a batch of its own."""
LINGER_S = 0.3
"""How long the first line of a batch waits for others."""
WINDOW_BATCHES = 4
"""Batches under way without an acknowledgement."""
RESEND_S = 2.0

_log = logging.getLogger(__name__)


class Shipper:
    """Delivers the lines of one worker and one run; `offer` never blocks."""

    def __init__(
        self, channel: Channel, run_id: str, facts: dict[str, Any], *, resend_s: float = RESEND_S
    ) -> None:
        """`facts` describe the worker; they travel before the first record."""
        self._channel = channel
        self._run_id = run_id
        self._facts = facts
        self._resend_s = resend_s
        self._lines: deque[bytes] = deque()
        """Not acknowledged yet; the first one has sequence number `_acked + 1`."""
        self._acked = 0
        self._sent = 0
        """Highest sequence number on its way."""
        self._batches: deque[int] = deque()
        """Last sequence numbers of the batches on their way."""
        self._greeted = False
        self._full = False
        self._hurry = False
        self._farewell: Drained | None = None
        self._closed = False
        self._moved_s = time.monotonic()
        """When something last was sent or acknowledged."""
        self._wake = gevent.event.Event()
        self._settled = gevent.event.Event()
        self._greenlet = gevent.spawn(self._work)

    @property
    def acknowledged(self) -> int:
        """Highest sequence number that the master has."""
        return self._acked

    @property
    def offered(self) -> int:
        """Highest sequence number offered."""
        return self._acked + len(self._lines)

    def offer(self, line: bytes) -> None:
        """Queue the line of the next sequence number."""
        self._lines.append(line)
        self._wake.set()

    def acknowledge(self, ack: Ack) -> None:
        """Take the master's answer; one for another run is ignored."""
        if ack.run_id != self._run_id or self._greenlet.dead:
            return
        self._greeted = True
        self._full = ack.full
        self._closed = self._closed or ack.closed
        for _ in range(min(ack.seq, self.offered) - self._acked):
            self._lines.popleft()
            self._acked += 1
        self._sent = max(self._sent, self._acked)
        while self._batches and self._batches[0] <= self._acked:
            self._batches.popleft()
        self._moved_s = time.monotonic()
        self._wake.set()
        self._settled.set()

    def flush(self, grace_s: float) -> bool:
        """Wait until all lines are delivered, as long as `grace_s` passes without progress."""
        self._hurry = True
        self._wait(lambda: not self._lines, grace_s)
        return not self._lines

    def farewell(self, facts: dict[str, Any], grace_s: float) -> bool:
        """Say that nothing will follow; True once the master has confirmed."""
        self._farewell = Drained(run_id=self._run_id, last_seq=self.offered, facts=facts)
        self._send(self._farewell)
        self._wait(lambda: self._closed, grace_s)
        return self._closed

    def close(self) -> None:
        """Send nothing more."""
        self._greenlet.kill(block=False)
        self._settled.set()

    def _wait(self, done: Callable[[], bool], grace_s: float) -> None:
        self._wake.set()
        seen = (self._acked, self._greeted)
        deadline = time.monotonic() + grace_s
        while not done() and not self._full and not self._greenlet.dead:
            self._settled.clear()
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return
            self._settled.wait(left_s)
            if (now := (self._acked, self._greeted)) != seen:
                seen, deadline = now, time.monotonic() + grace_s

    def _work(self) -> None:
        self._greet()
        while True:
            self._wake.wait(self._resend_s if self._waits_for_answer else None)
            self._wake.clear()
            if not self._hurry and not self._waits_for_answer:
                gevent.sleep(LINGER_S)
            if time.monotonic() - self._moved_s >= self._resend_s:
                self._again()
            if self._greeted and not self._full:
                self._send_batches()

    @property
    def _waits_for_answer(self) -> bool:
        return bool(self._batches) or not self._greeted or (self._farewell is not None and not self._closed)

    def _again(self) -> None:
        """No answer for too long: take back what is on its way."""
        self._sent = self._acked
        self._batches.clear()
        if not self._greeted:
            self._greet()
        if self._farewell is not None and not self._closed:
            self._send(self._farewell)

    def _greet(self) -> None:
        self._send(Hello(run_id=self._run_id, facts=self._facts))

    def _send_batches(self) -> None:
        while len(self._batches) < WINDOW_BATCHES and self._sent < self.offered:
            first = self._sent + 1
            lines: list[bytes] = []
            size = 0
            for index in range(self._sent - self._acked, len(self._lines)):
                line = self._lines[index]
                if lines and size + len(line) > BATCH_BYTES:
                    break
                lines.append(line)
                size += len(line)
            self._sent += len(lines)
            self._batches.append(self._sent)
            self._send(Batch(run_id=self._run_id, first_seq=first, lines=b"".join(lines)))

    def _send(self, message: Message) -> None:
        self._moved_s = time.monotonic()
        try:
            self._channel.send(message.KIND, message.pack())
        except Exception as error:  # noqa: BLE001 - whatever the connection raises: it is sent again
            _log.warning("glm_locust: the master could not be reached, will send again: %s", error)
