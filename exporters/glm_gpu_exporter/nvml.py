"""The readings that NVML offers, and the only file that imports pynvml.

A reading has one or more ways, best first: where the driver lacks the first, the next is used.  The
keys of the values read are metric names (see ``metrics``).
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pynvml

from glm_gpu_exporter import policy
from glm_gpu_exporter.nvml_reasons import THROTTLE_MASK

Handle = Any
Values = Mapping[str, float]


ReturnedError = pynvml.NVMLError
"""What the readings raise; its ``value`` is the return code."""


class NvmlError(Exception):
    """An NVML call has failed with this return code."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: {code}")
        self.call = call
        self.code = code


def call(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls NVML; every failure becomes an NvmlError under ``name``."""
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        raise NvmlError(name, error.value) from None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to take a reading: the NVML call that it is known by, and how to read."""

    call: str
    read: Callable[[Handle], Values]


@dataclass(frozen=True, slots=True)
class Reading:
    """Something to read of a GPU, by the first of its ways that this driver has."""

    ways: tuple[Way, ...]


def _memory_used_v2(handle: Handle) -> Values:
    return {"gpu_memory_used_bytes": pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2).used}


def _memory_used_v1(handle: Handle) -> Values:
    return {"gpu_memory_used_bytes": pynvml.nvmlDeviceGetMemoryInfo(handle).used}


def _memory_v2(handle: Handle) -> Values:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
    return {
        "gpu_memory_free_bytes": memory.free,
        "gpu_memory_total_bytes": memory.total,
        "gpu_memory_reserved_bytes": memory.reserved,
    }


def _memory_v1(handle: Handle) -> Values:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {"gpu_memory_free_bytes": memory.free, "gpu_memory_total_bytes": memory.total}


def _utilization(handle: Handle) -> Values:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return {"gpu_utilization_ratio": rates.gpu / 100, "gpu_memory_activity_ratio": rates.memory / 100}


def _field(handle: Handle, field_id: int) -> Any:
    """One field value.  A driver that does not know the field may call it an invalid argument."""
    try:
        answer = pynvml.nvmlDeviceGetFieldValues(handle, (field_id,))[0]
    except pynvml.NVMLError as error:
        if error.value == policy.INVALID_ARGUMENT:
            raise pynvml.NVMLError(policy.NOT_SUPPORTED) from None
        raise
    if answer.nvmlReturn == policy.INVALID_ARGUMENT:
        raise pynvml.NVMLError(policy.NOT_SUPPORTED)
    if answer.nvmlReturn:
        raise pynvml.NVMLError(answer.nvmlReturn)
    return answer.value


def _power_instant(handle: Handle) -> Values:
    return {"gpu_power_watts": _field(handle, pynvml.NVML_FI_DEV_POWER_INSTANT).uiVal / 1000}


def _power_usage(handle: Handle) -> Values:
    return {"gpu_power_watts": pynvml.nvmlDeviceGetPowerUsage(handle) / 1000}


def _energy(handle: Handle) -> Values:
    return {"gpu_energy_joules_total": pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000}


def _sm_clock(handle: Handle) -> Values:
    return {"gpu_sm_clock_hertz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM) * 1_000_000}


def _memory_clock(handle: Handle) -> Values:
    return {
        "gpu_memory_clock_hertz": pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_MEM) * 1_000_000
    }


def _event_reasons(handle: Handle) -> Values:
    return {THROTTLE_MASK: pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)}


def _throttle_reasons(handle: Handle) -> Values:
    return {THROTTLE_MASK: pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)}


def _temperature(handle: Handle) -> Values:
    return {"gpu_temperature_celsius": pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)}


def _power_limit(handle: Handle) -> Values:
    return {"gpu_power_limit_watts": pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000}


MEMORY_V2 = Way("nvmlDeviceGetMemoryInfo_v2", _memory_used_v2)
POWER_INSTANT = Way("nvmlDeviceGetFieldValues:power_instant", _power_instant)

FAST = (
    Reading((Way("nvmlDeviceGetUtilizationRates", _utilization),)),
    Reading((POWER_INSTANT, Way("nvmlDeviceGetPowerUsage", _power_usage))),
    Reading((Way("nvmlDeviceGetTotalEnergyConsumption", _energy),)),
    Reading((Way("nvmlDeviceGetClockInfo:sm", _sm_clock),)),
    Reading(
        (
            Way("nvmlDeviceGetCurrentClocksEventReasons", _event_reasons),
            Way("nvmlDeviceGetCurrentClocksThrottleReasons", _throttle_reasons),
        )
    ),
    Reading((MEMORY_V2, Way("nvmlDeviceGetMemoryInfo", _memory_used_v1))),
)
"""Taken in every cycle."""

SLOW = (
    Reading(
        (Way("nvmlDeviceGetMemoryInfo_v2", _memory_v2), Way("nvmlDeviceGetMemoryInfo", _memory_v1)),
    ),
    Reading((Way("nvmlDeviceGetClockInfo:memory", _memory_clock),)),
    Reading((Way("nvmlDeviceGetTemperature", _temperature),)),
    Reading((Way("nvmlDeviceGetEnforcedPowerLimit", _power_limit),)),
)
"""Taken once a second."""

BUFFERED = {
    "gpu_power_watts": (pynvml.NVML_TOTAL_POWER_SAMPLES, 1 / 1000),
    "gpu_utilization_ratio": (pynvml.NVML_GPU_UTILIZATION_SAMPLES, 1 / 100),
    "gpu_memory_activity_ratio": (pynvml.NVML_MEMORY_UTILIZATION_SAMPLES, 1 / 100),
    "gpu_sm_clock_hertz": (pynvml.NVML_PROCESSOR_CLK_SAMPLES, 1_000_000),
    "gpu_memory_clock_hertz": (pynvml.NVML_MEMORY_CLK_SAMPLES, 1_000_000),
}
"""Metric -> (type of nvmlDeviceGetSamples, factor to the metric's unit): the driver's own ring of samples."""

_SAMPLE_FIELDS = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
}


def buffered_since(handle: Handle, metric: str, last_us: int) -> list[tuple[int, float]]:
    """What the driver has sampled of a metric after ``last_us``: (us since the epoch, value in its unit)."""
    kind, factor = BUFFERED[metric]
    try:
        value_type, samples = pynvml.nvmlDeviceGetSamples(handle, kind, last_us)
    except pynvml.NVMLError as error:
        if error.value == policy.NOT_FOUND:
            return []
        raise
    field = _SAMPLE_FIELDS.get(value_type)
    if field is None:
        return []
    # Only what is newer: a slot of the ring that was never filled has time 0.
    return [
        (sample.timeStamp, getattr(sample.sampleValue, field) * factor)
        for sample in samples
        if sample.timeStamp > last_us
    ]


def initialise() -> int:
    """Loads and initialises NVML; the number of GPUs."""
    call("nvmlInitWithFlags", pynvml.nvmlInit)
    return int(call("nvmlDeviceGetCount", pynvml.nvmlDeviceGetCount))


def driver_version() -> str:
    """The driver's version, empty where it does not tell."""
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return ""


def handle_of(index: int) -> Handle:
    """The handle of the GPU with this index."""
    return call("nvmlDeviceGetHandleByIndex", pynvml.nvmlDeviceGetHandleByIndex, index)


def identity_of(handle: Handle) -> dict[str, str]:
    """What a GPU is: uuid, name, PCI bus id."""
    return {
        "uuid": str(call("nvmlDeviceGetUUID", pynvml.nvmlDeviceGetUUID, handle)),
        "name": str(call("nvmlDeviceGetName", pynvml.nvmlDeviceGetName, handle)),
        "pci_bus_id": str(call("nvmlDeviceGetPciInfo", pynvml.nvmlDeviceGetPciInfo, handle).busId),
    }


def compute_processes(handle: Handle) -> list[tuple[int, int]]:
    """(pid, bytes of GPU memory) of the compute processes whose memory the driver knows."""
    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    return [(p.pid, p.usedGpuMemory) for p in processes if p.usedGpuMemory is not None]


def mig_enabled(handle: Handle) -> bool:
    """Whether the GPU is in MIG mode."""
    return bool(pynvml.nvmlDeviceGetMigMode(handle)[0])


def mig_instances(handle: Handle) -> Iterator[tuple[dict[str, str], Values]]:
    """(identity, memory) of every MIG device of a GPU."""
    for index in range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except pynvml.NVMLError as error:
            if error.value in (policy.NOT_FOUND, policy.INVALID_ARGUMENT):
                continue
            raise
        identity = {
            "uuid": str(pynvml.nvmlDeviceGetUUID(instance)),
            "gpu_instance_id": str(pynvml.nvmlDeviceGetGpuInstanceId(instance)),
            "compute_instance_id": str(pynvml.nvmlDeviceGetComputeInstanceId(instance)),
        }
        try:
            memory = {**_memory_used_v2(instance), **_memory_v2(instance)}
        except pynvml.NVMLError as error:
            if policy.verdict(error.value) is not policy.Verdict.DISABLE:
                raise
            memory = {**_memory_used_v1(instance), **_memory_v1(instance)}
        yield identity, memory


class XidEvents:
    """An event set on which the XID errors of all GPUs arrive."""

    def __init__(self) -> None:
        self._set = call("nvmlEventSetCreate", pynvml.nvmlEventSetCreate)
        self._gpu_by_address: dict[int | None, int] = {}

    def register(self, index: int, handle: Handle) -> None:
        """Watch this GPU, too."""
        kind = pynvml.nvmlEventTypeXidCriticalError
        call("nvmlDeviceRegisterEvents", pynvml.nvmlDeviceRegisterEvents, handle, kind, self._set)
        self._gpu_by_address[ctypes.cast(handle, ctypes.c_void_p).value] = index

    def wait(self, timeout_ms: int) -> tuple[int, int] | None:
        """The next (GPU index, XID), or None in this time."""
        try:
            event = call("nvmlEventSetWait", pynvml.nvmlEventSetWait, self._set, timeout_ms)
        except NvmlError as fault:
            if fault.code == policy.TIMEOUT:
                return None
            raise
        # A lost GPU cannot be asked for its index, so its handle's address tells which one it is.
        index = self._gpu_by_address.get(ctypes.cast(event.device, ctypes.c_void_p).value)
        if index is None or event.eventType != pynvml.nvmlEventTypeXidCriticalError:
            return None
        return index, int(event.eventData)

    def close(self) -> None:
        """Frees the event set."""
        call("nvmlEventSetFree", pynvml.nvmlEventSetFree, self._set)


ACTIVITY_CALL = "nvmlGpmMetricsGet"
ACTIVITY_METRICS = {
    pynvml.NVML_GPM_METRIC_SM_UTIL: "gpu_sm_active_ratio",
    pynvml.NVML_GPM_METRIC_SM_OCCUPANCY: "gpu_sm_occupancy_ratio",
    pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL: "gpu_tensor_active_ratio",
    pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL: "gpu_dram_active_ratio",
}


class Activity:
    """What the units of a GPU do between two looks, by GPM (Hopper and later)."""

    def __init__(self, handle: Handle) -> None:
        if not pynvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice:
            raise pynvml.NVMLError(policy.NOT_SUPPORTED)
        self._handle = handle
        self._samples = [pynvml.nvmlGpmSampleAlloc(), pynvml.nvmlGpmSampleAlloc()]
        self._request = pynvml.c_nvmlGpmMetricsGet_t()
        self._request.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        self._request.numMetrics = len(ACTIVITY_METRICS)
        for slot, metric_id in zip(self._request.metrics, ACTIVITY_METRICS, strict=False):
            slot.metricId = metric_id
        try:
            pynvml.nvmlGpmSampleGet(handle, self._samples[0])
        except pynvml.NVMLError:
            self.close()
            raise

    def read(self) -> Values:
        """Shares since the last call, which should lie more than 100 ms back."""
        before, now = self._samples
        pynvml.nvmlGpmSampleGet(self._handle, now)
        self._request.sample1, self._request.sample2 = before, now
        self._samples = [now, before]
        pynvml.nvmlGpmMetricsGet(self._request)
        return {
            name: slot.value / 100
            for slot, name in zip(self._request.metrics, ACTIVITY_METRICS.values(), strict=False)
            if slot.nvmlReturn == 0
        }

    def close(self) -> None:
        """Frees the samples."""
        for sample in self._samples:
            call("nvmlGpmSampleFree", pynvml.nvmlGpmSampleFree, sample)
        self._samples = []
