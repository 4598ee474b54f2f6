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
    """One end of the conversation."""

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        """Send msgpack-able data: up from a worker, down to one worker, or to all with None."""

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` for each message of this kind; it may block cooperatively.

        Handlers of consecutive messages start in the order in which the messages came.
        """


class Loopback:
    """Both ends in one process: messages arrive in order, each in a greenlet of its own."""

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


class Runner(Protocol):
    """The part of Locust's distributed runners that carries messages."""

    def send_message(self, msg_type: str, data: Any = None, client_id: str | None = None) -> None:
        """Send to the master, to one worker or to all workers."""

    def register_message(
        self, msg_type: str, listener: Callable[..., None], concurrent: bool = False
    ) -> None:
        """Call `listener` for messages of this type; a type takes one listener only."""


class RunnerChannel:
    """The end of a Locust master or worker: messages share the connection of Locust's own."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._handlers: dict[str, list[Handler]] = {}

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        """Send in the order of Locust's own messages; raises locust.exception.RPCError."""
        self._runner.send_message(kind, data, worker)

    def on(self, kind: str, handler: Handler) -> None:
        """Add a handler."""
        if kind not in self._handlers:
            self._handlers[kind] = []
            self._runner.register_message(kind, self._receive, concurrent=True)
        self._handlers[kind].append(handler)

    def _receive(self, *, environment: object, msg: Any) -> None:  # noqa: ARG002 - Locust's signature
        for handler in self._handlers[msg.type]:
            handler(msg.node_id, msg.data)
