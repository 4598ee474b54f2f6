"""The newest readings of every source in one small file: who shows them live need not parse samples."""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from glm_locust.samples.endpoints import understood
from glm_locust.samples.store import Rows, SampleLine, Scrape

NEWEST_NAME = "samples.newest.json"
"""In the directory of a run, while it is on."""
STALE_NS = 10_000_000_000
PERIOD_NS = 400_000_000
"""The file is written at most this often."""
MOST_DEVICES = 32

GAUGES = {
    "gpu_utilization_ratio": "busy",
    "gpu_memory_used_bytes": "memory_used",
    "gpu_memory_total_bytes": "memory_total",
    "gpu_sm_clock_hertz": "sm_clock",
    "gpu_power_watts": "power",
    "gpu_power_limit_watts": "power_limit",
    "gpu_temperature_celsius": "temperature",
    "host_memory_used_bytes": "memory_used",
    "host_memory_total_bytes": "memory_total",
}
"""Exporter's name -> quantity."""


class NewestDevice(msgspec.Struct, kw_only=True):
    """One GPU, host or engine as it was last seen."""

    source: str
    name: str
    """`GPU 0`, `host` or `engine`."""
    model: str = ""
    readings: dict[str, float] = {}
    at_ns: int = 0
    """When the fetcher received the last of them, by its own clock."""


class Newest:
    """Takes every line that is fetched and writes the file anew, whole each time."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NEWEST_NAME
        self._devices: dict[tuple[str, str], NewestDevice] = {}
        self._busy_s: dict[str, tuple[float, float]] = {}
        """Source -> (time in s, CPU seconds so far)."""
        self._cpus: dict[str, float] = defaultdict(lambda: 1.0)
        self._written_ns = 0

    def take(self, line: SampleLine, now_ns: int) -> None:
        """Take a line that was fetched now; raises OSError where the file cannot be written."""
        match line:
            case Rows():
                for index, identity in line.gpus.items():
                    if isinstance(identity, dict):
                        self._device(line.source, f"GPU {index}").model = str(identity.get("name", ""))[:80]
                for row in line.rows:
                    self._take_row(line.source, row, now_ns)
            case Scrape():
                self._take_scrape(line, now_ns)
            case _:
                return
        if now_ns - self._written_ns >= PERIOD_NS:
            self._written_ns = now_ns
            fresh = self._path.with_suffix(".tmp")
            fresh.write_bytes(msgspec.json.encode(list(self._devices.values())))
            os.replace(fresh, self._path)

    def remove(self) -> None:
        """The run has ended: what it sampled is in its samples."""
        self._path.unlink(missing_ok=True)

    def _take_row(self, source: str, row: Mapping[str, Any], now_ns: int) -> None:
        values = row.get("v")
        if not isinstance(values, dict):
            return
        match row.get("kind"):
            case "gpu" | "gpu_slow" | "gpu_activity":
                self._take_gauges(self._device(source, f"GPU {row.get('gpu')}"), values, now_ns)
            case "host":
                self._take_gauges(self._device(source, "host"), values, now_ns)
                self._cpus[source] = max(1.0, float(values.get("host_cpus", self._cpus[source])))
                if "host_cpu_seconds_total" in values:
                    self._take_busy(source, row.get("t1_ns", 0) / 1e9, values["host_cpu_seconds_total"])

    def _take_scrape(self, line: Scrape, now_ns: int) -> None:
        found = understood(line.values)
        for (name, quantity), value in found.gauges.items():
            device = self._device(line.source, name)
            device.readings[quantity], device.at_ns = value, now_ns
        if found.busy_cpu_s is not None:
            self._cpus[line.source] = found.cpus
            self._device(line.source, "host").at_ns = now_ns
            self._take_busy(line.source, line.t1_ns / 1e9, found.busy_cpu_s)

    def _take_gauges(self, device: NewestDevice, values: Mapping[str, Any], now_ns: int) -> None:
        device.at_ns = now_ns
        for key, value in values.items():
            if key in GAUGES and isinstance(value, int | float):
                device.readings[GAUGES[key]] = float(value)

    def _take_busy(self, source: str, at_s: float, busy_s: float) -> None:
        """A counter of CPU seconds, as a share of all cores over at least half a second."""
        before = self._busy_s.get(source)
        if before is None or busy_s < before[1]:
            self._busy_s[source] = at_s, busy_s
        elif at_s - before[0] >= 0.5:
            ratio = (busy_s - before[1]) / (at_s - before[0]) / self._cpus[source]
            self._device(source, "host").readings["cpu"] = min(1.0, ratio)
            self._busy_s[source] = at_s, busy_s

    def _device(self, source: str, name: str) -> NewestDevice:
        key = source, name
        if key not in self._devices and len(self._devices) >= MOST_DEVICES:
            return NewestDevice(source=source, name=name)  # not kept
        return self._devices.setdefault(key, NewestDevice(source=source, name=name))


def read_newest(run_dir: Path, now_ns: int) -> tuple[NewestDevice, ...]:
    """The devices whose readings are fresh, in order; none where nothing is sampled."""
    try:
        devices = msgspec.json.decode((run_dir / NEWEST_NAME).read_bytes(), type=list[NewestDevice])
    except (OSError, msgspec.DecodeError):
        return ()
    fresh = [device for device in devices if now_ns - device.at_ns <= STALE_NS and device.readings]
    return tuple(sorted(fresh, key=lambda device: (len(device.name), device.name, device.source)))
