"""Pulses: how each worker of a run is now, as far as its last word is fresh. It reads no clock."""

from collections import Counter
from dataclasses import dataclass

from glm_locust.transport.messages import Pulse

STALE_NS = 5_000_000_000
"""A worker that was silent for longer is not spoken of: nobody knows how it is now."""


@dataclass(frozen=True, slots=True)
class WorkerPulse:
    """What one worker said last."""

    pulse: Pulse
    age_s: float


class Pulses:
    """The newest pulse of each worker; instants are the master's own, in ns."""

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, Pulse]] = {}

    def take(self, worker: str, pulse: Pulse, now_ns: int) -> None:
        """A worker has told how it is."""
        self._newest[worker] = (now_ns, pulse)

    def drop(self, worker: str) -> None:
        """A worker is done."""
        self._newest.pop(worker, None)

    def fresh(self, now_ns: int) -> dict[str, WorkerPulse]:
        """By worker, in order of their names, without those that have been silent for too long."""
        return {
            worker: WorkerPulse(pulse, (now_ns - at_ns) * 1e-9)
            for worker, (at_ns, pulse) in sorted(self._newest.items())
            if now_ns - at_ns <= STALE_NS
        }

    def in_flight(self, now_ns: int) -> Counter[tuple[str, str, int | None]]:
        """Requests in flight by (path, task, level) over all workers; level None where none was planned.

        `.total()` of it is all of them.
        """
        counts: Counter[tuple[str, str, int | None]] = Counter()
        for worker in self.fresh(now_ns).values():
            for kind in worker.pulse.in_flight:
                counts[kind.path, kind.task, kind.level] += kind.count
        return counts
