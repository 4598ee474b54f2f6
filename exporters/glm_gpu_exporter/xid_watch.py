"""The thread that waits for XID errors of all GPUs; NVML can only be waited for, not asked."""

import threading
import time
from collections.abc import Callable

from glm_gpu_exporter import nvml, policy
from glm_gpu_exporter.nvml import NvmlError
from glm_gpu_exporter.rows import Row

WAIT_MS = 250
STUCK_AFTER_S = 1.0
RENEW_AFTER_S = 30.0
"""A GPU that could not be registered (it was lost, say) is tried again with a new set."""


class XidWatch(threading.Thread):
    """Reports every XID error with the moment of its arrival: the event itself carries no time."""

    def __init__(self, count: int, emit: Callable[[Row], None], stop: threading.Event) -> None:
        super().__init__(name="xid")
        self._count = count
        self._emit = emit
        self._stopping = stop
        self._unsupported: set[int] = set()
        self._call_began: float | None = None

    def stuck(self) -> bool:
        """Whether a driver call has not come back for a long time."""
        began = self._call_began
        return began is not None and time.monotonic() - began > WAIT_MS / 1000 + STUCK_AFTER_S

    def run(self) -> None:
        """Wait for events until told to stop."""
        backoff = policy.Backoff(0.1, 5.0)
        while not self._stopping.is_set() and len(self._unsupported) < self._count:
            self._call_began = time.monotonic()
            try:
                events = nvml.XidEvents()
                try:
                    incomplete = self._register(events)
                    self._wait(
                        events, time.monotonic() + RENEW_AFTER_S if incomplete else float("inf"), backoff
                    )
                finally:
                    events.close()
            except NvmlError as fault:
                self._failed(None, fault)
                if policy.verdict(fault.code) is policy.Verdict.DISABLE:
                    break
                self._call_began = None
                self._stopping.wait(backoff.pause_s())
        self._call_began = None

    def _register(self, events: nvml.XidEvents) -> bool:
        """Whether some GPU has to be tried again later."""
        incomplete = False
        for index in range(self._count):
            if index in self._unsupported:
                continue
            try:
                events.register(index, nvml.handle_of(index))
            except NvmlError as fault:
                self._failed(index, fault)
                if policy.verdict(fault.code) is policy.Verdict.DISABLE:
                    self._unsupported.add(index)
                else:
                    incomplete = True
        return incomplete

    def _wait(self, events: nvml.XidEvents, until: float, backoff: policy.Backoff) -> None:
        while not self._stopping.is_set() and time.monotonic() < until:
            self._call_began = time.monotonic()
            found = events.wait(WAIT_MS)
            backoff.reset()
            if found is not None:
                index, xid = found
                now_ns = time.time_ns()
                self._emit({"kind": "xid", "gpu": index, "t0_ns": now_ns, "t1_ns": now_ns, "xid": xid})

    def _failed(self, index: int | None, fault: NvmlError) -> None:
        now_ns = time.time_ns()
        errors = [[fault.call, fault.code, 1]]
        self._emit({"kind": "nvml_errors", "gpu": index, "t0_ns": now_ns, "t1_ns": now_ns, "errors": errors})
