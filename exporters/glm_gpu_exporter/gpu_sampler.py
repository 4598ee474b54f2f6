"""Samples one GPU: cycle by cycle, with a new handle after a pause whenever the old one dies."""

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


class GpuSampler:
    """What is known of one GPU, and the next step to take with it; the steps are made by a lane.

    ``fault`` is what made the last cycle fail, None while the GPU answers; ``bad_since`` (monotonic
    seconds) is when it last answered, None while it does.
    """

    def __init__(self, index: int, emit: Callable[[Row], None]) -> None:
        self.index = index
        self.fault: NvmlError | None = None
        self.bad_since: float | None = time.monotonic()
        self.turn = threading.Lock()
        """Held during a step: two lanes may have the same GPU for a moment."""
        self._emit = emit
        self._device: Device | None = None
        self._step_began: float | None = None
        self._retry_at = self._slow_due = self._activity_due = 0.0
        self._began_us = 0
        self._backoff = policy.Backoff(0.1, 5.0)
        self._announced: tuple[object, ...] = ()

    def in_step_for_s(self) -> float:
        """How long the present step has lasted; 0 between steps."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    def stuck(self) -> bool:
        """Whether a driver call has not come back for a long time."""
        return self.in_step_for_s() > STUCK_AFTER_S

    def step(self) -> None:
        """One cycle; where the GPU was lost, an attempt to find it again when it is time for one."""
        now = self._step_began = time.monotonic()
        try:
            if self._device is None:
                if now < self._retry_at:
                    return
                self._device = self._taken(now)
            self._cycle(self._device, now)
        except NvmlError as fault:
            self._drop(self._device, fault)
            self._device = None
            self._retry_at = time.monotonic() + self._backoff.pause_s()
        except BaseException:
            # A mistake of ours: this GPU is bad from now on.
            self.bad_since = self.bad_since or time.monotonic()
            raise
        finally:
            self._step_began = None

    def close(self) -> None:
        """Frees the handle; no step may follow."""
        if self._device is not None:
            self._device.close()

    def _taken(self, now: float) -> Device:
        device = Device(self.index)
        self._announced = ()
        self._began_us = time.time_ns() // 1000
        # GPUs take their slow readings at different moments, so that the work spreads over the second.
        self._slow_due = now + (self.index % 8) * SLOW_PERIOD_S / 8
        self._activity_due = now + ACTIVITY_PERIOD_S
        self._slow_cycle(device)
        return device

    def _cycle(self, device: Device, now: float) -> None:
        self._fast_cycle(device)
        if now >= self._activity_due:
            self._activity_due = now + ACTIVITY_PERIOD_S
            self._emit_values("gpu_activity", time.time_ns(), device.activity())
        if now >= self._slow_due:
            self._slow_due = now + SLOW_PERIOD_S
            self._slow_cycle(device)
        self._announce(device)

    def _fast_cycle(self, device: Device) -> None:
        t0_ns = time.time_ns()
        # Sent even when empty: it says that the GPU answers.
        self._emit_row("gpu", t0_ns, v=device.fast())
        self.fault = self.bad_since = None
        self._backoff.reset()

    def _slow_cycle(self, device: Device) -> None:
        t0_ns = time.time_ns()
        self._emit_values("gpu_slow", t0_ns, device.slow())
        processes = device.processes()
        if processes is not None:
            found = [{"pid": pid, "bytes": used, "group": ""} for pid, used in processes]
            self._emit_row("gpu_processes", t0_ns, processes=found)
        instances = device.mig_instances()
        if instances is not None:
            self._emit_row("gpu_mig", t0_ns, instances=[{**who, "v": memory} for who, memory in instances])
        for metric, samples in device.buffered(self._began_us).items():
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
