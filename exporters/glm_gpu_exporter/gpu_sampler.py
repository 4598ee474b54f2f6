"""The thread that samples one GPU: as long as it hangs in a driver call, only its own GPU is silent."""

import threading
import time
from collections.abc import Callable

from glm_gpu_exporter import nvml, policy
from glm_gpu_exporter.device import Device
from glm_gpu_exporter.nvml import NvmlError
from glm_gpu_exporter.rows import Row

SLOW_PERIOD_S = 1.0
ACTIVITY_PERIOD_S = 0.2
"""GPM needs more than 100 ms between two looks."""

STUCK_AFTER_S = 1.0


class GpuSampler(threading.Thread):
    """Samples one GPU until told to stop, taking a new handle after a pause whenever the old one dies.

    ``fault`` is what made the last cycle fail, None while the GPU answers; ``bad_since`` (monotonic
    seconds) is when it last answered, None while it does.
    """

    def __init__(
        self, index: int, period_s: float, emit: Callable[[Row], None], stop: threading.Event
    ) -> None:
        super().__init__(name=f"gpu-{index}")
        self.index = index
        self.fault: NvmlError | None = None
        self.bad_since: float | None = time.monotonic()
        self._period_s = period_s
        self._emit = emit
        self._stopping = stop
        self._cycle_began: float | None = None
        self._backoff = policy.Backoff(0.1, 5.0)
        self._announced: tuple[object, ...] = ()

    def stuck(self) -> bool:
        """Whether a driver call has not come back for a long time."""
        began = self._cycle_began
        return began is not None and time.monotonic() - began > STUCK_AFTER_S

    def run(self) -> None:
        """Sample until told to stop."""
        try:
            self._run()
        finally:
            # Reached without being told to stop only by a mistake of ours: then this GPU is bad from now on.
            self._cycle_began = None
            self.bad_since = self.bad_since or time.monotonic()

    def _run(self) -> None:
        device: Device | None = None
        while not self._stopping.is_set():
            self._cycle_began = time.monotonic()
            try:
                if device is None:
                    device = Device(self.index)
                    self._announced = ()
                self._sample_until_stopped(device)
            except NvmlError as fault:
                self._drop(device, fault)
                device = None
                self._cycle_began = None
                self._stopping.wait(self._backoff.pause_s())
        if device is not None:
            device.close()

    def _sample_until_stopped(self, device: Device) -> None:
        began_us = time.time_ns() // 1000
        due = self._next_tick()
        # GPUs take their slow readings at different moments, so that the work spreads over the second.
        slow_due = due + (self.index % 8) * SLOW_PERIOD_S / 8
        activity_due = due + ACTIVITY_PERIOD_S
        self._slow_cycle(device, began_us)
        while not self._stopping.is_set():
            now = self._cycle_began = time.monotonic()
            self._fast_cycle(device)
            if now >= activity_due:
                activity_due = now + ACTIVITY_PERIOD_S
                self._emit_values("gpu_activity", time.time_ns(), device.activity())
            if now >= slow_due:
                slow_due = now + SLOW_PERIOD_S
                self._slow_cycle(device, began_us)
            self._announce(device)
            self._cycle_began = None
            due += self._period_s
            if due <= time.monotonic():
                # Ticks that were missed are left out: samples in a burst would say the same thing often.
                due = self._next_tick()
            time.sleep(max(0.0, due - time.monotonic()))

    def _next_tick(self) -> float:
        # All GPUs tick together: one wake-up in warm caches costs half of eight in cold ones.
        return (time.monotonic() // self._period_s + 1) * self._period_s

    def _fast_cycle(self, device: Device) -> None:
        t0_ns = time.time_ns()
        # Sent even when empty: it says that the GPU answers.
        self._emit_row("gpu", t0_ns, v=device.fast())
        self.fault = self.bad_since = None
        self._backoff.reset()

    def _slow_cycle(self, device: Device, began_us: int) -> None:
        t0_ns = time.time_ns()
        self._emit_values("gpu_slow", t0_ns, device.slow())
        processes = device.processes()
        if processes is not None:
            found = [{"pid": pid, "bytes": used, "group": ""} for pid, used in processes]
            self._emit_row("gpu_processes", t0_ns, processes=found)
        instances = device.mig_instances()
        if instances is not None:
            self._emit_row("gpu_mig", t0_ns, instances=[{**who, "v": memory} for who, memory in instances])
        for metric, samples in device.buffered(began_us).items():
            t_ns = [at_us * 1000 for at_us, _ in samples]
            self._emit_row("gpu_buffer", t0_ns, metric=metric, t_ns=t_ns, v=[value for _, value in samples])
        self._emit_errors(device)

    def _announce(self, device: Device) -> None:
        """Tells who the GPU is and what it does not serve, at first and when that has changed."""
        current = (device, len(device.disabled))
        if current == self._announced:
            return
        self._announced = current
        now_ns = time.time_ns()
        self._emit_row(
            "gpu_identity",
            now_ns,
            **device.identity,
            memory_api="v2" if device.in_use(nvml.MEMORY_V2) else "v1",
            power_source="instant" if device.in_use(nvml.POWER_INSTANT) else "driver",
        )
        self._emit_row("gpu_disabled", now_ns, disabled=dict(device.disabled))
        self._emit_errors(device)

    def _drop(self, device: Device | None, fault: NvmlError) -> None:
        self.fault = fault
        if self.bad_since is None:
            self.bad_since = time.monotonic()
        now_ns = time.time_ns()
        if device is None:
            self._emit_row("nvml_errors", now_ns, errors=[[fault.call, fault.code, 1]])
        else:
            device.close()
            self._emit_errors(device)
        self._emit_row("gpu_fault", now_ns, call=fault.call, code=fault.code)

    def _emit_errors(self, device: Device) -> None:
        if device.errors:
            errors = [[call, code, n] for (call, code), n in device.errors.items()]
            device.errors.clear()
            self._emit_row("nvml_errors", time.time_ns(), errors=errors)

    def _emit_values(self, kind: str, t0_ns: int, values: nvml.Values) -> None:
        if values:
            self._emit_row(kind, t0_ns, v=values)

    def _emit_row(self, kind: str, t0_ns: int, **content: object) -> None:
        self._emit({"kind": kind, "gpu": self.index, "t0_ns": t0_ns, "t1_ns": time.time_ns(), **content})
