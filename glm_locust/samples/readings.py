"""From raw samples to named series: gauges as they are, counters as rates, on the requests' clock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from glm_locust.correlate import Offset, OffsetLine, Series
from glm_locust.samples.store import Clock, Gap, Rows, SampleLine, Scrape, Source

NS = 1e9

GPU_GAUGES = {
    "gpu_utilization_ratio": "busy",
    "gpu_memory_used_bytes": "memory used",
    "gpu_memory_activity_ratio": "memory activity",
    "gpu_sm_clock_hertz": "SM clock",
    "gpu_power_watts": "power",
    "gpu_temperature_celsius": "temperature",
    "gpu_sm_active_ratio": "SM active",
    "gpu_tensor_active_ratio": "tensor cores active",
    "gpu_dram_active_ratio": "DRAM active",
}
"""Exporter's name -> the name a reader sees, behind `GPU n `."""

IDLE_REASONS = 1 | 2
"""Clock event reasons that do not hold the clocks down against the work: idle, application clocks."""

ENGINE_GAUGES = {
    "vllm:num_requests_waiting": "engine: requests waiting",
    "vllm:num_requests_running": "engine: requests running",
    "vllm:kv_cache_usage_perc": "engine: KV cache used",
    "vllm:gpu_cache_usage_perc": "engine: KV cache used",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One named series of one source, in the source's own time."""

    name: str
    unit: str
    source: str
    times_ns: np.ndarray
    values: np.ndarray
    period_s: float | None = None


@dataclass(slots=True)
class Readings:
    """All that was sampled in a run."""

    sources: dict[str, Source] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    clocks: dict[tuple[str, str], OffsetLine] = field(default_factory=dict)
    """(source, worker) -> offset over time."""
    gaps: tuple[Gap, ...] = ()
    lost_rows: int = 0
    gpu_identities: dict[str, dict[str, object]] = field(default_factory=dict)

    def series(self, worker: str) -> dict[str, Series]:
        """Every reading that has at least two samples, in s on this worker's clock."""
        found = {}
        for reading in self.readings.values():
            line = self.clocks.get((reading.source, worker))
            times = reading.times_ns if line is None else line.to_near_ns(reading.times_ns)
            if len(reading.values) >= 2:
                found[reading.name] = Series(np.asarray(times, float) / NS, reading.values, reading.period_s)
        return found

    def clock_bound_s(self) -> float:
        """The worst bound of all clocks; 0 where sources and workers share one."""
        return max((line.bound_s for line in self.clocks.values()), default=0.0)


def readings_of(lines: Iterable[SampleLine]) -> Readings:
    """Gather the lines of a run; rows that repeat (a page fetched twice) count once."""
    found = Readings()
    points: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    counters: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
    probes: dict[tuple[str, str], list[Offset]] = defaultdict(list)
    cpus: dict[str, float] = {}
    gaps: list[Gap] = []
    seen: dict[tuple[str, str], int] = {}
    for line in lines:
        match line:
            case Source():
                found.sources[line.source] = line
            case Clock():
                offset = Offset(line.at_ns, line.offset_ns, line.bound_ns, line.stepped)
                probes[line.source, line.worker].append(offset)
            case Gap():
                gaps.append(line)
            case Rows():
                found.lost_rows += line.lost
                found.gpu_identities.update(line.gpus)
                for row in line.rows:
                    seq = int(row.get("seq", 0))
                    if seq > seen.get((line.source, line.instance), 0):
                        seen[line.source, line.instance] = seq
                        _take_row(line.source, row, points, counters, cpus)
            case Scrape():
                at_ns = (line.t0_ns + line.t1_ns) // 2
                for key, value in line.values.items():
                    if (name := ENGINE_GAUGES.get(key.partition("{")[0])) is not None:
                        points[line.source, name, ""].append((at_ns, value))
                    else:
                        points[line.source, key, ""].append((at_ns, value))
    found.gaps = tuple(gaps)
    found.clocks = {key: OffsetLine(rounds) for key, rounds in probes.items()}
    for (source, name, unit), samples in points.items():
        _add(found, Reading(name, unit, source, *_sorted(samples)))
    for (source, name, unit), samples in counters.items():
        times, totals = _sorted(samples)
        if len(times) > 2:
            # A counter that fell was reset; the step over the reset is unknown.
            steps, spans = np.diff(totals), np.diff(times) / NS
            rates = np.where(steps >= 0, steps / np.maximum(spans, 1e-9), np.nan)
            scale = cpus.get(source, 1.0) if name == "host CPU" else 1.0
            _add(found, Reading(name, unit, source, times[1:], rates / scale))
    return found


def _add(found: Readings, reading: Reading) -> None:
    """Two sources may have a reading of the same name: the later one says whose it is."""
    name = reading.name if reading.name not in found.readings else f"{reading.name} ({reading.source})"
    found.readings[name] = replace(reading, name=name)


def _sorted(samples: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    samples.sort()
    times = np.array([t for t, _ in samples], dtype=np.int64)
    return times, np.array([v for _, v in samples], dtype=float)


def _take_row(
    source: str,
    row: Mapping[str, object],
    points: dict[tuple[str, str, str], list[tuple[int, float]]],
    counters: dict[tuple[str, str, str], list[tuple[int, float]]],
    cpus: dict[str, float],
) -> None:
    at_ns = (_int(row.get("t0_ns")) + _int(row.get("t1_ns"))) // 2
    values = row.get("v")
    match row.get("kind"):
        case "gpu" | "gpu_slow" | "gpu_activity" if isinstance(values, dict):
            device = f"GPU {row.get('gpu')}"
            for key, value in values.items():
                if key in GPU_GAUGES and isinstance(value, int | float):
                    points[source, f"{device} {GPU_GAUGES[key]}", _unit(key)].append((at_ns, float(value)))
            mask = values.get("throttle_mask")
            if isinstance(mask, int):
                held = float(bool(mask & ~IDLE_REASONS))
                points[source, f"{device} throttled", "ratio"].append((at_ns, held))
        case "host" if isinstance(values, dict):
            cpus[source] = max(1.0, float(values.get("host_cpus", 1)))
            if "host_cpu_seconds_total" in values:
                counters[source, "host CPU", "ratio"].append((at_ns, float(values["host_cpu_seconds_total"])))
            if "host_memory_used_bytes" in values:
                points[source, "host memory used", "bytes"].append(
                    (at_ns, float(values["host_memory_used_bytes"]))
                )
        case "process_groups":
            groups = row.get("groups")
            for group, facts in (groups if isinstance(groups, dict) else {}).items():
                counters[source, f"{group} CPU", "cores"].append((at_ns, float(facts["cpu_seconds_total"])))
                points[source, f"{group} memory", "bytes"].append(
                    (at_ns, float(facts["resident_memory_bytes"]))
                )


def _unit(key: str) -> str:
    return key.rpartition("_")[2]


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
