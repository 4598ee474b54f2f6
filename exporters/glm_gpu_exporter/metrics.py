"""Every metric of /metrics, one row each; the documentation's table is made from these rows."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter"]
GPU = ("gpu", "uuid")
MIG = ("gpu", "uuid", "gpu_instance_id", "compute_instance_id")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family.  Counters are named with their ``_total``; ``labels`` are those of every sample."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    doc: str
    source: str


@dataclass(frozen=True, slots=True)
class DcgmAlias:
    """A name of NVIDIA's dcgm-exporter for one of our metrics, and the factor to its unit."""

    name: str
    metric: str
    factor: float
    unit: str


METRICS = (
    Metric(
        "gpu_up",
        "gauge",
        ("gpu",),
        "1 while the newest sample of this GPU is good and fresh, else 0; absent where no GPU was ever seen",
        "every cycle",
    ),
    Metric(
        "gpu_nvml_up",
        "gauge",
        (),
        "1 while NVML works, 0 while it fails; absent on a machine without NVIDIA driver",
        "nvmlInit",
    ),
    Metric(
        "gpu_info",
        "gauge",
        (*GPU, "name", "pci_bus_id", "driver_version", "memory_api", "power_source"),
        "Always 1; what the GPU is, and which memory call (v2, or v1 that counts reserved as used) and power "
        "reading (instant, or the driver's: a 1 s average since Ampere) are in use",
        "at start",
    ),
    Metric("gpu_sample_age_seconds", "gauge", ("gpu",), "Age of the newest good sample", "every cycle"),
    Metric(
        "gpu_sample_duration_seconds",
        "gauge",
        ("gpu",),
        "How long the newest cycle's driver calls took",
        "every cycle",
    ),
    Metric("gpu_samples_total", "counter", ("gpu",), "Good samples taken", "every cycle"),
    Metric(
        "gpu_nvml_errors_total",
        "counter",
        ("gpu", "call", "code"),
        "Failed NVML calls by return code; gpu is empty where the call concerns none",
        "every call",
    ),
    Metric(
        "gpu_metric_disabled",
        "gauge",
        ("gpu", "call", "reason"),
        "1 for every call that is not answered on this GPU; asked again after the next initialisation",
        "every call",
    ),
    Metric(
        "gpu_utilization_ratio",
        "gauge",
        GPU,
        "Share of the driver's last sample period (1/6 s to 1 s) with a kernel running: busy, not full",
        "nvmlDeviceGetUtilizationRates",
    ),
    Metric(
        "gpu_busy_seconds_total",
        "counter",
        GPU,
        "Integral of gpu_utilization_ratio: its rate is the mean over any window",
        "from the samples",
    ),
    Metric(
        "gpu_memory_activity_ratio",
        "gauge",
        GPU,
        "Share of the same period with device memory being read or written",
        "nvmlDeviceGetUtilizationRates",
    ),
    Metric(
        "gpu_memory_used_bytes",
        "gauge",
        GPU,
        'Allocated device memory; without the driver\'s reserve where gpu_info says memory_api="v2"',
        "nvmlDeviceGetMemoryInfo_v2, else v1",
    ),
    Metric(
        "gpu_memory_free_bytes", "gauge", GPU, "Free device memory", "nvmlDeviceGetMemoryInfo_v2, else v1"
    ),
    Metric(
        "gpu_memory_reserved_bytes",
        "gauge",
        GPU,
        "Held by driver and firmware; v2 only",
        "nvmlDeviceGetMemoryInfo_v2",
    ),
    Metric(
        "gpu_memory_total_bytes", "gauge", GPU, "Size of device memory", "nvmlDeviceGetMemoryInfo_v2, else v1"
    ),
    Metric(
        "gpu_power_watts",
        "gauge",
        GPU,
        "Power drawn; gpu_info says whether instant or the driver's average",
        "field 186, else nvmlDeviceGetPowerUsage",
    ),
    Metric(
        "gpu_power_limit_watts", "gauge", GPU, "Power limit in force", "nvmlDeviceGetEnforcedPowerLimit, 1 Hz"
    ),
    Metric(
        "gpu_energy_joules_total",
        "counter",
        GPU,
        "Energy since the driver was loaded: its rate is the mean power",
        "nvmlDeviceGetTotalEnergyConsumption",
    ),
    Metric("gpu_temperature_celsius", "gauge", GPU, "Core temperature", "nvmlDeviceGetTemperature, 1 Hz"),
    Metric("gpu_sm_clock_hertz", "gauge", GPU, "Clock of the multiprocessors", "nvmlDeviceGetClockInfo"),
    Metric("gpu_memory_clock_hertz", "gauge", GPU, "Clock of the device memory", "nvmlDeviceGetClockInfo"),
    Metric(
        "gpu_throttle_active",
        "gauge",
        (*GPU, "reason"),
        "1 while this reason holds the clocks down",
        "nvmlDeviceGetCurrentClocksEventReasons, else ..ThrottleReasons",
    ),
    Metric(
        "gpu_throttled_seconds_total",
        "counter",
        (*GPU, "reason"),
        "Time for which this reason was seen: its rate is the share of time",
        "from the samples",
    ),
    Metric(
        "gpu_sm_active_ratio",
        "gauge",
        GPU,
        "Share of time a multiprocessor had work, mean over all of them",
        "GPM 2, 5 Hz",
    ),
    Metric(
        "gpu_sm_occupancy_ratio", "gauge", GPU, "Resident warps as a share of the possible", "GPM 3, 5 Hz"
    ),
    Metric(
        "gpu_tensor_active_ratio", "gauge", GPU, "Share of time the tensor cores were active", "GPM 5, 5 Hz"
    ),
    Metric(
        "gpu_dram_active_ratio", "gauge", GPU, "Share of the device memory's bandwidth in use", "GPM 10, 5 Hz"
    ),
    Metric(
        "gpu_xid_errors_total",
        "counter",
        ("gpu", "xid"),
        "XID errors since the exporter started",
        "event set",
    ),
    Metric(
        "gpu_xid_last_timestamp_seconds",
        "gauge",
        ("gpu", "xid"),
        "When this XID came last, as seen here; alert on this, not on the counter's increase",
        "event set",
    ),
    Metric(
        "gpu_mig_memory_used_bytes",
        "gauge",
        MIG,
        "Allocated memory of a MIG device",
        "nvmlDeviceGetMemoryInfo_v2, 1 Hz",
    ),
    Metric(
        "gpu_mig_memory_total_bytes", "gauge", MIG, "Size of its memory", "nvmlDeviceGetMemoryInfo_v2, 1 Hz"
    ),
    Metric(
        "gpu_process_memory_bytes",
        "gauge",
        (*GPU, "pid", "group"),
        "Device memory of a compute process; group is empty where no pattern matches",
        "nvmlDeviceGetComputeRunningProcesses, 1 Hz",
    ),
    Metric(
        "process_group_cpu_seconds_total",
        "counter",
        ("group",),
        "CPU time of the group's processes since the exporter started; does not fall when one ends",
        "/proc, 1 Hz",
    ),
    Metric(
        "process_group_resident_memory_bytes",
        "gauge",
        ("group",),
        "Resident memory, shared pages counted in each process",
        "/proc, 1 Hz",
    ),
    Metric("process_group_processes", "gauge", ("group",), "Processes in the group", "/proc, 1 Hz"),
    Metric(
        "process_group_gpu_memory_bytes",
        "gauge",
        ("group", *GPU),
        "Device memory of the group's processes on one GPU",
        "nvmlDeviceGetComputeRunningProcesses, 1 Hz",
    ),
    Metric(
        "host_cpu_seconds_total",
        "counter",
        (),
        "CPU time of all cores that was neither idle nor waiting for I/O",
        "/proc, 5 Hz",
    ),
    Metric("host_cpus", "gauge", (), "Logical CPUs", "/proc, 5 Hz"),
    Metric("host_memory_used_bytes", "gauge", (), "MemTotal - MemAvailable", "/proc, 5 Hz"),
    Metric("host_memory_total_bytes", "gauge", (), "MemTotal", "/proc, 5 Hz"),
    Metric("gpu_exporter_info", "gauge", ("version",), "Always 1", "-"),
    Metric(
        "gpu_exporter_cpu_seconds_total",
        "counter",
        (),
        "CPU time of the exporter and its NVML child: what observing costs",
        "/proc, 1 Hz",
    ),
    Metric("gpu_exporter_resident_memory_bytes", "gauge", (), "Resident memory of both", "/proc, 1 Hz"),
    Metric(
        "gpu_exporter_child_ends_total",
        "counter",
        (),
        "How often the NVML child has ended and was started again",
        "-",
    ),
    Metric("gpu_exporter_rows_total", "counter", (), "Rows taken in from all sources", "-"),
    Metric("gpu_exporter_rows_dropped_total", "counter", (), "Rows lost between child and parent", "-"),
)

PLAIN_GPU_GAUGES = tuple(m.name for m in METRICS if m.kind == "gauge" and m.labels == GPU)
"""Gauges whose value is read as it is, under the metric's own name."""

DCGM_ALIASES = (
    DcgmAlias("DCGM_FI_DEV_GPU_UTIL", "gpu_utilization_ratio", 100, "%"),
    DcgmAlias("DCGM_FI_DEV_MEM_COPY_UTIL", "gpu_memory_activity_ratio", 100, "%"),
    DcgmAlias("DCGM_FI_DEV_FB_USED", "gpu_memory_used_bytes", 2**-20, "MiB"),
    DcgmAlias("DCGM_FI_DEV_FB_FREE", "gpu_memory_free_bytes", 2**-20, "MiB"),
    DcgmAlias("DCGM_FI_DEV_FB_RESERVED", "gpu_memory_reserved_bytes", 2**-20, "MiB"),
    DcgmAlias("DCGM_FI_DEV_POWER_USAGE", "gpu_power_watts", 1, "W"),
    DcgmAlias("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "gpu_energy_joules_total", 1000, "mJ"),
    DcgmAlias("DCGM_FI_DEV_GPU_TEMP", "gpu_temperature_celsius", 1, "C"),
    DcgmAlias("DCGM_FI_DEV_SM_CLOCK", "gpu_sm_clock_hertz", 1e-6, "MHz"),
    DcgmAlias("DCGM_FI_DEV_MEM_CLOCK", "gpu_memory_clock_hertz", 1e-6, "MHz"),
    DcgmAlias("DCGM_FI_PROF_SM_ACTIVE", "gpu_sm_active_ratio", 1, "ratio"),
    DcgmAlias("DCGM_FI_PROF_SM_OCCUPANCY", "gpu_sm_occupancy_ratio", 1, "ratio"),
    DcgmAlias("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gpu_tensor_active_ratio", 1, "ratio"),
    DcgmAlias("DCGM_FI_PROF_DRAM_ACTIVE", "gpu_dram_active_ratio", 1, "ratio"),
)
"""Only with --dcgm-compat."""


def metrics_table() -> str:
    """The table of metrics in Markdown."""
    lines = ["| metric | type | labels | meaning | read by |", "|---|---|---|---|---|"]
    for m in METRICS:
        labels = " ".join(m.labels) or "-"
        lines.append(f"| `{m.name}` | {m.kind} | {labels} | {m.doc} | {m.source} |")
    return "\n".join(lines)


def aliases_table() -> str:
    """The table of DCGM names in Markdown."""
    lines = ["| name with --dcgm-compat | our metric | unit |", "|---|---|---|"]
    lines += [f"| `{alias.name}` | `{alias.metric}` | {alias.unit} |" for alias in DCGM_ALIASES]
    return "\n".join(lines)
