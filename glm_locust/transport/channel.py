"""Messages between a master and its workers, whatever carries them.

In a local run master and worker are one process and `Loopback` carries them; kinds that travel
down (to workers) and up (to the master) never share a name, so both ends can live on it.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Protocol

import gevent
import gevent.queue

Handler = Callable[[str, dict[str, Any]], None]
"""Called with the worker's id (up: who sent it; down: who received it) and the message."""

LOCAL_WORKER = "local"


class Channel(Protocol):
    """One end of the conversation; Locust's runner is one, `Loopback` the other implementation."""

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        """Send msgpack-able data: up from a worker, down to one worker, or to all with None."""

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` for each message of this kind; it may block cooperatively."""


class Loopback:
    """Both ends in one process: messages arrive in order, in a greenlet of their own."""

    def __init__(self) -> None:
        self._handlers: dict[str, list[Handler]] = defaultdict(list)
        self._queue: gevent.queue.Queue[tuple[str, dict[str, Any]]] = gevent.queue.Queue()
        self._greenlet = gevent.spawn(self._deliver)

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:  # noqa: ARG002 - one worker only
        """Queue the message for the handlers of its kind."""
        self._queue.put((kind, data))

    def on(self, kind: str, handler: Handler) -> None:
        """Add a handler."""
        self._handlers[kind].append(handler)

    def close(self) -> None:
        """Deliver nothing more."""
        self._greenlet.kill(block=False)

    def _deliver(self) -> None:
        for kind, data in self._queue:
            for handler in self._handlers[kind]:
                # A handler that waits must not hold up the messages it may be waiting for.
                gevent.spawn(handler, LOCAL_WORKER, data)
