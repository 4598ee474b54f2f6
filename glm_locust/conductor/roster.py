"""On the master: what each worker said last, and how long ago."""

import time
from typing import Any

import gevent.event

from glm_locust.conductor.messages import STATUS, Status, unpack
from glm_locust.transport.channel import Channel


class Roster:
    """All workers that have ever said how they are."""

    def __init__(self, channel: Channel) -> None:
        self.changed = gevent.event.Event()
        """Set at each word of a worker; whoever waits clears it."""
        self._statuses: dict[str, Status] = {}
        self._heard_s: dict[str, float] = {}
        channel.on(STATUS, self._take)

    def __getitem__(self, worker: str) -> Status:
        return self._statuses[worker]

    def silent_s(self, worker: str) -> float:
        """How long nothing was heard of it."""
        return time.monotonic() - self._heard_s[worker]

    def present(self, within_s: float) -> list[str]:
        """Those that were heard of lately, in the order in which they came."""
        return [worker for worker in self._statuses if self.silent_s(worker) <= within_s]

    def finished(self, worker: str, run_id: str, block: int) -> int:
        """How much of a block a worker has worked off, as far as it said."""
        status = self._statuses[worker]
        return status.finished if (status.run_id, status.block) == (run_id, block) else 0

    def _take(self, worker: str, data: dict[str, Any]) -> None:
        status = unpack(data, Status)
        known = self._statuses.get(worker)
        if known is not None and status.seq <= known.seq:
            return
        self._statuses[worker] = status
        self._heard_s[worker] = time.monotonic()
        self.changed.set()
