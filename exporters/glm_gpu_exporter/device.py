"""One GPU as seen through one NVML handle: takes readings and applies the error policy to each call."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from glm_gpu_exporter import nvml, policy
from glm_gpu_exporter.nvml import NvmlError, Reading

Result = TypeVar("Result")

STRIKES = 20
"""So many failures in a row of one call, while others answer, disable that call."""


class Device:
    """Everything that is read through one handle.

    Its methods raise NvmlError when the handle is dead; then the device is closed and a new one taken.
    """

    def __init__(self, index: int) -> None:
        self._handle = nvml.handle_of(index)
        self.identity = nvml.identity_of(self._handle)
        self.disabled: dict[str, str] = {}
        self.errors: Counter[tuple[str, int]] = Counter()
        self._strikes: Counter[str] = Counter()
        self._way: dict[Reading, int] = {}
        self._activity: nvml.Activity | None = None
        self._buffered_upto_us: dict[str, int] = {}

    def read(self, readings: Sequence[Reading]) -> dict[str, float]:
        """The values of all readings that succeed."""
        values: dict[str, float] = {}
        suspect: NvmlError | None = None
        for reading in readings:
            try:
                values.update(self._first_way(reading))
            except NvmlError as fault:
                if fault.code not in policy.FAULT_OF_ONE_CALL:
                    raise
                suspect = suspect or fault
        if suspect and not values:
            raise suspect
        return values

    def in_use(self, way: nvml.Way) -> bool:
        """Whether readings are taken in this way."""
        return way.call not in self.disabled

    def activity(self) -> nvml.Values:
        """GPM shares since the last call; empty at first, and where there is no GPM."""
        if self._activity is None:
            self._activity = self._attempt(nvml.ACTIVITY_CALL, nvml.Activity, self._handle)
            return {}
        return self._attempt(nvml.ACTIVITY_CALL, self._activity.read) or {}

    def buffered(self, since_us: int) -> dict[str, list[tuple[int, float]]]:
        """Metric -> what the driver has sampled of it since the last call (at first: after ``since_us``)."""
        fresh = {}
        for metric in nvml.BUFFERED:
            last_us = self._buffered_upto_us.get(metric, since_us)
            samples = self._attempt(
                f"nvmlDeviceGetSamples:{metric}", nvml.buffered_since, self._handle, metric, last_us
            )
            if samples:
                self._buffered_upto_us[metric] = samples[-1][0]
                fresh[metric] = samples
        return fresh

    def processes(self) -> list[tuple[int, int]] | None:
        """(pid, bytes) of compute processes; None where the driver does not tell."""
        return self._attempt("nvmlDeviceGetComputeRunningProcesses", nvml.compute_processes, self._handle)

    def mig_instances(self) -> list[tuple[dict[str, str], nvml.Values]] | None:
        """Identity and memory of the MIG devices; None where MIG is off or unknown."""
        if not self._attempt("nvmlDeviceGetMigMode", nvml.mig_enabled, self._handle):
            return None
        return self._attempt(
            "nvmlDeviceGetMigDeviceHandleByIndex", lambda: list(nvml.mig_instances(self._handle))
        )

    def close(self) -> None:
        """Frees what the device holds; it may be dead already."""
        if self._activity is not None:
            try:
                self._activity.close()
            except NvmlError as fault:
                self.errors[(fault.call, fault.code)] += 1

    def _first_way(self, reading: Reading) -> nvml.Values:
        for position in range(self._way.get(reading, 0), len(reading.ways)):
            way = reading.ways[position]
            values = self._attempt(way.call, way.read, self._handle)
            if values is not None:
                return values
            if way.call not in self.disabled:
                return {}
            self._way[reading] = position + 1
        return {}

    def _attempt(self, call: str, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """The result of one call, or None where the policy lets the failure pass."""
        if call in self.disabled:
            return None
        try:
            result: Result = nvml.call(call, function, *arguments)
        except NvmlError as fault:
            self.errors[(call, fault.code)] += 1
            verdict = policy.verdict(fault.code)
            if verdict is policy.Verdict.DISABLE:
                self.disabled[call] = policy.DISABLING[fault.code]
            elif verdict is policy.Verdict.DROP:
                self._strikes[call] += 1
                if fault.code not in policy.FAULT_OF_ONE_CALL or self._strikes[call] < STRIKES:
                    raise
                self.disabled[call] = f"error_{fault.code}"
            return None
        if self._strikes:
            self._strikes.pop(call, None)
        return result
