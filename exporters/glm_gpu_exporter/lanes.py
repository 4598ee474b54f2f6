"""The threads that sample: GPUs that answer at once share one, a GPU that does not gets one of its own.

A thread for each GPU would cost twice as much: eight wake-ups per tick, each in cold caches. A shared one
alone would have a GPU that hangs in a driver call silence its neighbours.
"""

import threading
import time
from collections.abc import Iterable, Sequence

from glm_gpu_exporter.gpu_sampler import GpuSampler

HUNG_AFTER_S = 0.1
"""Those who wait behind a step that lasts longer are given another thread."""

SLOW_STEPS = 5
"""After so many steps in a row that took more than its share of a tick, a GPU has to sample alone."""

QUICK_STEPS = 100
"""After so many steps within its share, it may come back."""


class Lane(threading.Thread):
    """Takes a step with each of its GPUs at every tick."""

    def __init__(
        self, samplers: Iterable[GpuSampler], period_s: float, share_s: float, stop: threading.Event
    ) -> None:
        self.samplers = tuple(samplers)
        """May be replaced from outside at any time."""
        super().__init__(name="gpu-" + "-".join(str(sampler.index) for sampler in self.samplers))
        self.current: GpuSampler | None = None
        """With which it is taking a step, or was when it failed."""
        self.quick: dict[GpuSampler, int] = dict.fromkeys(self.samplers, 0)
        """Steps in a row that were quick; below zero: that were slow."""
        self._period_s = period_s
        self._share_s = share_s
        self._stopping = stop

    def run(self) -> None:
        """Sample until told to stop or until no GPU is left."""
        due = self._next_tick()
        while self.samplers and not self._stopping.is_set():
            for sampler in self.samplers:
                if sampler.turn.acquire(blocking=False):
                    self.current = sampler
                    began = time.monotonic()
                    try:
                        sampler.step()
                    finally:
                        sampler.turn.release()
                    self.current = None
                    self._count(sampler, time.monotonic() - began <= self._share_s)
            due += self._period_s
            if due <= time.monotonic():
                # Ticks that were missed are left out: samples in a burst would say the same thing often.
                due = self._next_tick()
            time.sleep(max(0.0, due - time.monotonic()))

    def slow_one(self) -> GpuSampler | None:
        """A GPU for which the others here should not wait any longer."""
        current = self.current
        if current is not None and (not self.is_alive() or current.in_step_for_s() > HUNG_AFTER_S):
            return current
        return next((s for s in self.samplers if self.quick.get(s, 0) <= -SLOW_STEPS), None)

    def _count(self, sampler: GpuSampler, was_quick: bool) -> None:
        before = self.quick.get(sampler, 0)
        self.quick[sampler] = max(before, 0) + 1 if was_quick else min(before, 0) - 1

    def _next_tick(self) -> float:
        return (time.monotonic() // self._period_s + 1) * self._period_s


class Lanes:
    """All GPUs, in as few threads as their answers allow."""

    def __init__(self, samplers: Sequence[GpuSampler], period_s: float, stop: threading.Event) -> None:
        self._period_s = period_s
        # All together within half a tick; one that is alone has to be as quick to come back.
        self._share_s = period_s / 2 / max(1, len(samplers))
        self._stopping = stop
        self._common = self._lane(samplers)
        self._alone: list[Lane] = []

    def start(self) -> None:
        """Begin to sample."""
        self._common.start()

    def look(self) -> None:
        """Sees to it that no GPU waits for another; to be called several times a second."""
        slow = self._common.slow_one()
        if slow is not None and (len(self._common.samplers) > 1 or not self._common.is_alive()):
            # The thread stays with the GPU it may be hanging in; the others go on in a new one.
            rest = [sampler for sampler in self._common.samplers if sampler is not slow]
            self._common.samplers = (slow,)
            self._alone.append(self._common)
            self._common = self._lane(rest)
            self._common.start()
        for lane in self._alone[:]:
            if lane.is_alive() and all(lane.quick.get(s, 0) >= QUICK_STEPS for s in lane.samplers):
                self._alone.remove(lane)
                back, lane.samplers = lane.samplers, ()
                self._common.samplers += back
                if not self._common.is_alive():
                    self._common = self._lane(self._common.samplers)
                    self._common.start()

    def join(self) -> None:
        """Wait until all have ended, which those who hang do when the driver lets go."""
        for lane in (self._common, *self._alone):
            lane.join()

    def _lane(self, samplers: Iterable[GpuSampler]) -> Lane:
        return Lane(samplers, self._period_s, self._share_s, self._stopping)
