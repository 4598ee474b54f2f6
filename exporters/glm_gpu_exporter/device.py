"""One GPU as seen through one NVML handle: takes readings and applies the error policy to each call."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from glm_gpu_exporter import nvml, policy
from glm_gpu_exporter.nvml import NvmlError, Reading, Way

Result = TypeVar("Result")

STRIKES = 20
"""So many failures in a row of one call, while others answer, disable that call."""


class _Slot:
    """A reading and the way it is taken at present; None when no way is left."""

    __slots__ = ("_rest", "way")

    def __init__(self, reading: Reading) -> None:
        self._rest = iter(reading.ways)
        self.way: Way | None = next(self._rest)

    def advance(self) -> None:
        self.way = next(self._rest, None)


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
        self._fast = [_Slot(reading) for reading in nvml.FAST]
        self._slow = [_Slot(reading) for reading in nvml.SLOW]
        self._activity: nvml.Activity | None = None
        self._buffered_upto_us: dict[str, int] = {}

    def fast(self) -> dict[str, float]:
        """The values of every reading of a cycle that succeeds; decides whether the handle lives."""
        values, suspect = self._read(self._fast)
        if suspect and not values:
            raise suspect
        return values

    def slow(self) -> dict[str, float]:
        """The values of every reading of once a second that succeeds."""
        return self._read(self._slow)[0]

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

    def _read(self, slots: Iterable[_Slot]) -> tuple[dict[str, float], NvmlError | None]:
        """The values, and the first failure that may be that of one sensor or of the whole GPU."""
        # This runs 20 times a second for every GPU: no call more than needed.
        values: dict[str, float] = {}
        suspect: NvmlError | None = None
        for slot in slots:
            while (way := slot.way) is not None:
                try:
                    values.update(way.read(self._handle))
                except nvml.ReturnedError as error:
                    try:
                        self._failed(way.call, error.value)
                    except NvmlError as dead:
                        if dead.code not in policy.FAULT_OF_ONE_CALL:
                            raise
                        suspect = suspect or dead
                    if way.call in self.disabled:
                        slot.advance()
                        continue
                else:
                    if self._strikes:
                        self._strikes.pop(way.call, None)
                break
        return values, suspect

    def _attempt(self, call: str, function: Callable[..., Result], *arguments: Any) -> Result | None:
        """The result of one call, or None where the policy lets the failure pass."""
        if call in self.disabled:
            return None
        try:
            result = function(*arguments)
        except nvml.ReturnedError as error:
            try:
                self._failed(call, error.value)
            except NvmlError as dead:
                if dead.code not in policy.FAULT_OF_ONE_CALL:
                    raise
            return None
        self._strikes.pop(call, None)
        return result

    def _failed(self, call: str, code: int) -> None:
        """Counts a failure; disables the call where that is the verdict; raises when the handle is dead."""
        self.errors[(call, code)] += 1
        verdict = policy.verdict(code)
        if verdict is policy.Verdict.DISABLE:
            self.disabled[call] = policy.DISABLING[code]
        elif verdict is policy.Verdict.DROP:
            self._strikes[call] += 1
            if code not in policy.FAULT_OF_ONE_CALL or self._strikes[call] < STRIKES:
                raise NvmlError(call, code)
            self.disabled[call] = f"error_{code}"
