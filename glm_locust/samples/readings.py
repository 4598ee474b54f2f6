"""From raw samples to named series: gauges as they are, counters as rates, on the requests' clock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from glm_locust.correlate.offset import OffsetLine
from glm_locust.correlate.probes import Offset
from glm_locust.correlate.series import Series
from glm_locust.samples.endpoints import understood
from glm_locust.samples.store import FETCHER, Clock, Gap, Rows, SampleLine, Scrape, Source

NS = 1e9


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is read of a device."""

    label: str
    unit: str
    """ratio | bytes | hertz | watts | celsius | cores | requests"""
    judged: bool
    """It can change within a request, so its association with TTFT is tested."""
    own_work: bool = True
    """A request's own work moves it: it is tested on the second before the request was submitted."""


QUANTITIES = {
    "busy": Quantity("busy", "ratio", True),
    "memory_used": Quantity("memory used", "bytes", False),
    "memory_activity": Quantity("memory activity", "ratio", True),
    "sm_clock": Quantity("SM clock", "hertz", True, own_work=False),
    "throttled": Quantity("throttled", "ratio", True, own_work=False),
    "power": Quantity("power", "watts", True),
    "temperature": Quantity("temperature", "celsius", False),
    "sm_active": Quantity("SM active", "ratio", True),
    "tensor_active": Quantity("tensor cores active", "ratio", True),
    "dram_active": Quantity("DRAM active", "ratio", True),
    "cpu": Quantity("CPU", "ratio", True),
    "group_cpu": Quantity("CPU", "cores", True),
    "group_memory": Quantity("memory", "bytes", False),
    "requests_waiting": Quantity("requests waiting", "requests", True),
    "requests_running": Quantity("requests running", "requests", True),
    "kv_cache": Quantity("KV cache used", "ratio", True),
}

GPU_GAUGES = {
    "gpu_utilization_ratio": "busy",
    "gpu_memory_used_bytes": "memory_used",
    "gpu_memory_activity_ratio": "memory_activity",
    "gpu_sm_clock_hertz": "sm_clock",
    "gpu_power_watts": "power",
    "gpu_temperature_celsius": "temperature",
    "gpu_sm_active_ratio": "sm_active",
    "gpu_tensor_active_ratio": "tensor_active",
    "gpu_dram_active_ratio": "dram_active",
}
"""Exporter's name -> quantity."""

DRIVER_MEANS = ("busy", "memory_activity")
"""Means over the driver's own period: its buffer has each of them once, a poll only repeats them."""

HELD_DOWN = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
"""Clock event reasons that hold clocks down against the work: power cap, slowdown, heat, power brake."""

GROUPED_ABOVE = 2
"""With more GPUs than this the association is tested on what they do together."""

HOST = "host"


@dataclass(frozen=True, slots=True)
class Reading:
    """One named series of one source, in the source's own time."""

    name: str
    device: str
    """`GPU 0`, `host`, `engine`, or the name of a process group."""
    quantity: str
    source: str
    times_ns: np.ndarray
    values: np.ndarray
    judged: bool = True

    @property
    def unit(self) -> str:
        """Of its values."""
        return QUANTITIES[self.quantity].unit

    @property
    def window(self) -> str:
        """The window of a request on which its association with TTFT is tested."""
        return "before" if QUANTITIES[self.quantity].own_work else "ttft"


Key = tuple[str, str, str]
"""Source, device, quantity."""
Points = dict[Key, list[tuple[int, float]]]


@dataclass(slots=True)
class Readings:
    """All that was sampled in a run."""

    sources: dict[str, Source] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    clocks: dict[tuple[str, str], OffsetLine] = field(default_factory=dict)
    """(source, worker) -> offset over time."""
    gaps: tuple[Gap, ...] = ()
    lost_rows: int = 0
    gpus: dict[str, dict[str, Any]] = field(default_factory=dict)
    """`GPU 0` -> its identity."""
    not_understood: frozenset[str] = frozenset()
    """Metrics of endpoints that are kept and not made into readings."""

    def series(self, worker: str) -> dict[str, Series]:
        """Every reading that has at least two samples, in s on this worker's clock."""
        found = {}
        for reading in self.readings.values():
            if len(reading.values) >= 2:
                times = self._on_clock_of(worker, reading)
                found[reading.name] = Series(np.asarray(times, float) / NS, reading.values)
        return found

    def clock_bound_s(self, name: str, workers: Mapping[str, str]) -> float:
        """How far a reading's times may be off on any worker's clock; `workers` gives their hosts.

        0: one clock for both. Infinite: two hosts, and nothing compared their clocks.
        """
        source = self.sources.get(self.readings[name].source)
        return max((self._bound_s(source, worker, host) for worker, host in workers.items()), default=0.0)

    def _bound_s(self, source: Source | None, worker: str, host: str) -> float:
        if source is None:
            return 0.0
        if (line := self.clocks.get((source.source, worker))) is not None:
            return line.bound_s
        if source.kind == "exporter":
            return float("inf")
        if (legs := self._legs(worker)) is not None:
            return legs[0].bound_s + legs[1].bound_s
        return 0.0 if source.host == host else float("inf")

    def _on_clock_of(self, worker: str, reading: Reading) -> np.ndarray:
        if (line := self.clocks.get((reading.source, worker))) is not None:
            return line.to_near_ns(reading.times_ns)
        source = self.sources.get(reading.source)
        if source is not None and source.kind == "metrics" and (legs := self._legs(worker)) is not None:
            # The fetcher stamped it: by way of an exporter that both were compared with.
            to_worker, to_fetcher = legs
            return to_worker.to_near_ns(to_fetcher.to_far_ns(reading.times_ns))
        return reading.times_ns

    def _legs(self, worker: str) -> tuple[OffsetLine, OffsetLine] | None:
        """The clocks of one exporter as seen by the worker and by the fetcher."""
        both = [
            (line, self.clocks[source, FETCHER])
            for (source, of), line in self.clocks.items()
            if of == worker and (source, FETCHER) in self.clocks
        ]
        return min(both, key=lambda legs: legs[0].bound_s + legs[1].bound_s, default=None)


def readings_of(lines: Iterable[SampleLine]) -> Readings:
    """Gather the lines of a run; rows that repeat (a page fetched twice) count once."""
    intake = _Intake()
    for line in lines:
        intake.take(line)
    return intake.readings()


class _Intake:
    """Sorts raw lines into points of readings."""

    def __init__(self) -> None:
        self.found = Readings()
        self._gauges: Points = defaultdict(list)
        self._scraped: Points = defaultdict(list)
        self._buffered: Points = defaultdict(list)
        self._counters: Points = defaultdict(list)
        self._cpus: dict[str, float] = {}
        self._probes: dict[tuple[str, str], list[Offset]] = defaultdict(list)
        self._gaps: list[Gap] = []
        self._seen: dict[tuple[str, str], int] = {}
        self._other: set[str] = set()

    def take(self, line: SampleLine) -> None:
        match line:
            case Source():
                self.found.sources[line.source] = line
            case Clock():
                offset = Offset(line.at_ns, line.offset_ns, line.bound_ns, line.stepped)
                self._probes[line.source, line.worker].append(offset)
            case Gap():
                self._gaps.append(line)
            case Rows():
                self._take_rows(line)
            case Scrape():
                self._take_scrape(line)

    def readings(self) -> Readings:
        found = self.found
        found.gaps = tuple(self._gaps)
        found.clocks = {key: OffsetLine(rounds) for key, rounds in self._probes.items()}
        found.not_understood = frozenset(self._other)
        for key, samples in self._buffered.items():
            if len(samples) >= 10:
                self._gauges[key] = samples
        series = {key: _sorted(samples) for key, samples in self._gauges.items()}
        for key, samples in self._scraped.items():
            times, values = _sorted(samples)
            # An instant's value speaks for the time around it, as far as anyone knows.
            series[key] = (times + _period_ns(times) // 2, values)
        series |= {
            key: rated for key, samples in self._counters.items() if (rated := self._rates(key, samples))
        }
        _name(found, series)
        _join_gpus(found)
        return found

    def _rates(self, key: Key, samples: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray] | None:
        times, totals = _sorted(samples)
        if len(times) < 3:
            return None
        # A counter that fell was reset; the step over the reset is unknown.
        steps, spans = np.diff(totals), np.diff(times) / NS
        rates = np.where(steps >= 0, steps / np.maximum(spans, 1e-9), np.nan)
        if key[2] != "cpu":
            return times[1:], rates
        # The kernel counts in ticks: over a fifth of a second a busy host may seem more than busy.
        return times[1:], np.minimum(rates / self._cpus.get(key[0], 1.0), 1.0)

    def _take_scrape(self, line: Scrape) -> None:
        at_ns = (line.t0_ns + line.t1_ns) // 2
        found = understood(line.values)
        for (device, quantity), value in found.gauges.items():
            self._scraped[line.source, device, quantity].append((at_ns, value))
        if found.busy_cpu_s is not None:
            self._cpus[line.source] = found.cpus
            self._counters[line.source, HOST, "cpu"].append((at_ns, found.busy_cpu_s))
        self._other |= {key.partition("{")[0] for key in line.values} - found.known

    def _take_rows(self, line: Rows) -> None:
        self.found.lost_rows += line.lost
        for index, identity in line.gpus.items():
            if identity:
                self.found.gpus[f"GPU {index}"] = identity
        for row in line.rows:
            seq = int(row.get("seq", 0))
            if seq > self._seen.get((line.source, line.instance), 0):
                self._seen[line.source, line.instance] = seq
                self._take_row(line.source, row)

    def _take_row(self, source: str, row: Mapping[str, Any]) -> None:
        at_ns = (_int(row.get("t0_ns")) + _int(row.get("t1_ns"))) // 2
        values = row.get("v")
        device = f"GPU {row.get('gpu')}"
        match row.get("kind"):
            case "gpu" | "gpu_slow" | "gpu_activity" if isinstance(values, dict):
                for key, value in values.items():
                    if key in GPU_GAUGES and isinstance(value, int | float):
                        self._gauges[source, device, GPU_GAUGES[key]].append((at_ns, float(value)))
                mask = values.get("throttle_mask")
                if isinstance(mask, int | float):
                    held = float(bool(int(mask) & HELD_DOWN))
                    self._gauges[source, device, "throttled"].append((at_ns, held))
            case "gpu_buffer" if isinstance(values, list):
                quantity = GPU_GAUGES.get(str(row.get("metric")), "")
                if quantity in DRIVER_MEANS:
                    times = row.get("t_ns", [])
                    self._buffered[source, device, quantity].extend(zip(times, values, strict=True))
            case "host" if isinstance(values, dict):
                self._cpus[source] = max(1.0, float(values.get("host_cpus", self._cpus.get(source, 1.0))))
                if "host_cpu_seconds_total" in values:
                    total = float(values["host_cpu_seconds_total"])
                    self._counters[source, HOST, "cpu"].append((at_ns, total))
                if "host_memory_used_bytes" in values:
                    used = float(values["host_memory_used_bytes"])
                    self._gauges[source, HOST, "memory_used"].append((at_ns, used))
            case "process_groups" if isinstance(groups := row.get("groups"), dict):
                for group, facts in groups.items():
                    if facts.get("processes"):
                        total, resident = facts["cpu_seconds_total"], facts["resident_memory_bytes"]
                        self._counters[source, group, "group_cpu"].append((at_ns, float(total)))
                        self._gauges[source, group, "group_memory"].append((at_ns, float(resident)))


def _name(found: Readings, series: Mapping[Key, tuple[np.ndarray, np.ndarray]]) -> None:
    """Give every series a name; where two sources have the same reading, each says whose it is."""
    sources: dict[tuple[str, str], set[str]] = defaultdict(set)
    for source, device, quantity in series:
        sources[device, quantity].add(source)
    for (source, device, quantity), (times, values) in sorted(series.items()):
        described = QUANTITIES[quantity]
        owner = f" ({source})" if len(sources[device, quantity]) > 1 else ""
        name = f"{device} {described.label}{owner}"
        found.readings[name] = Reading(name, device, quantity, source, times, values, described.judged)


def _join_gpus(found: Readings) -> None:
    """With many GPUs on a source, test what they do together instead of each of them."""
    together: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for reading in found.readings.values():
        if reading.device.startswith("GPU ") and reading.judged:
            together[reading.source, reading.quantity].append(reading)
    for (source, quantity), readings in together.items():
        if len(readings) <= GROUPED_ABOVE:
            continue
        for reading in readings:
            found.readings[reading.name] = replace(reading, judged=False)
        first = max(readings, key=lambda reading: len(reading.times_ns))
        rows = np.array([_held(reading, first.times_ns) for reading in readings])
        label = f"{len(readings)} GPUs {QUANTITIES[quantity].label}"
        name = label if label not in found.readings else f"{label} ({source})"
        found.readings[name] = Reading(
            name, f"{len(readings)} GPUs", quantity, source, first.times_ns, _together(quantity, rows)
        )


def _together(quantity: str, rows: np.ndarray) -> np.ndarray:
    """Of GPUs that work on one answer the slowest decides; power adds up."""
    match quantity:
        case "sm_clock":
            return np.asarray(rows.min(axis=0), float)
        case "throttled":
            return np.asarray(rows.max(axis=0), float)
        case "power":
            return np.asarray(rows.sum(axis=0), float)
    return np.asarray(rows.mean(axis=0), float)


def _held(reading: Reading, times_ns: np.ndarray) -> np.ndarray:
    """The newest value at each time."""
    index = np.searchsorted(reading.times_ns, times_ns, side="right") - 1
    return np.asarray(reading.values[np.maximum(index, 0)], float)


def _sorted(samples: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    samples.sort()
    times = np.array([t for t, _ in samples], dtype=np.int64)
    return times, np.array([v for _, v in samples], dtype=float)


def _period_ns(times_ns: np.ndarray) -> int:
    return int(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 0


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
