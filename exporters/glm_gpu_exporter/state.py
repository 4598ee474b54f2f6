"""What the rows so far say about now: newest values with their age, counters, errors.  No I/O.

Values are never carried beyond their age: what is not fresh is not there.  Counters only grow.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glm_gpu_exporter.nvml_reasons import THROTTLE_MASK
from glm_gpu_exporter.rows import Row

GAP_PERIODS = 5
"""No more than so many periods are credited to an integral for one sample: a gap is not busy time."""

SLOW_FRESH_S = 3.0
"""Readings taken once a second stay fresh at least this long."""


class Snapshot(NamedTuple):
    """The content of the newest row of a kind, and when it came (monotonic seconds)."""

    content: Any
    t0_ns: int
    t1_ns: int
    arrived_s: float


@dataclass(slots=True)
class GpuState:
    """What is known of one GPU."""

    identity: dict[str, str] = field(default_factory=dict)
    newest: dict[str, Snapshot] = field(default_factory=dict)
    disabled: dict[str, str] = field(default_factory=dict)
    last_good_s: float | None = None
    samples: int = 0
    busy_s: float = 0.0
    seconds_by_mask: dict[int, float] = field(default_factory=dict)
    xids: Counter[int] = field(default_factory=Counter)
    xid_ns: dict[int, int] = field(default_factory=dict)

    def throttled_s(self, bit: int) -> float:
        """For how long a clock event reason has been seen."""
        return sum(seconds for mask, seconds in self.seconds_by_mask.items() if mask & bit)


class State:
    """Folds rows into the present.  Not locked: ``Intake`` is the one gate to it."""

    def __init__(self, stale_s: float) -> None:
        self.stale_s = stale_s
        self.gpus: dict[int, GpuState] = {}
        self.nvml: Row | None = None
        self.driver_version = ""
        self.period_s = 0.05
        self.errors: Counter[tuple[int | None, str, int]] = Counter()
        self.restarts = 0
        self.rows = 0
        self.dropped = 0
        self._host: Snapshot | None = None
        self._groups: Snapshot | None = None

    def apply(self, row: Row, now_s: float) -> None:
        """One more row, which has come at ``now_s`` (monotonic)."""
        kind = row["kind"]
        self.rows += 1
        if kind == "gpu":
            self._apply_sample(self._gpu(row), row, now_s)
        elif kind in ("gpu_slow", "gpu_activity"):
            self._keep(row, row["v"], now_s)
        elif kind == "gpu_processes":
            self._keep(row, row["processes"], now_s)
        elif kind == "gpu_mig":
            self._keep(row, row["instances"], now_s)
        elif kind == "gpu_identity":
            names = ("uuid", "name", "pci_bus_id", "memory_api", "power_source")
            self._gpu(row).identity = {name: str(row[name]) for name in names}
        elif kind == "gpu_disabled":
            self._gpu(row).disabled = dict(row["disabled"])
        elif kind == "gpu_fault":
            self._gpu(row).newest.clear()
        elif kind == "nvml_errors":
            for call, code, n in row["errors"]:
                self.errors[(row["gpu"], call, code)] += n
        elif kind == "xid":
            gpu = self._gpu(row)
            gpu.xids[row["xid"]] += 1
            gpu.xid_ns[row["xid"]] = row["t1_ns"]
        elif kind == "nvml":
            self._apply_nvml(row)
        elif kind == "host":
            self._host = Snapshot(row["v"], row["t0_ns"], row["t1_ns"], now_s)
        elif kind == "process_groups":
            self._groups = Snapshot(row["groups"], row["t0_ns"], row["t1_ns"], now_s)
        elif kind == "dropped":
            self.dropped += row["n"]

    def up(self, gpu: GpuState, now_s: float) -> bool:
        """Whether the newest sample of a GPU is good and fresh."""
        return self.fresh(gpu, "gpu", now_s) is not None

    def fresh(self, gpu: GpuState, kind: str, now_s: float) -> Snapshot | None:
        """The newest row of a kind, unless it is too old to tell about now."""
        limit_s = self.stale_s if kind == "gpu" else max(self.stale_s, SLOW_FRESH_S)
        return _not_older(gpu.newest.get(kind), limit_s, now_s)

    def host(self, now_s: float) -> dict[str, float] | None:
        """The newest host readings."""
        snapshot = _not_older(self._host, max(self.stale_s, SLOW_FRESH_S), now_s)
        return None if snapshot is None else snapshot.content

    def groups(self, now_s: float) -> dict[str, dict[str, float]]:
        """The newest readings of process groups."""
        snapshot = _not_older(self._groups, max(self.stale_s, SLOW_FRESH_S), now_s)
        return {} if snapshot is None else snapshot.content

    def _gpu(self, row: Row) -> GpuState:
        return self.gpus.setdefault(row["gpu"], GpuState())

    def _keep(self, row: Row, content: object, now_s: float) -> None:
        self._gpu(row).newest[row["kind"]] = Snapshot(content, row["t0_ns"], row["t1_ns"], now_s)

    def _apply_sample(self, gpu: GpuState, row: Row, now_s: float) -> None:
        before = gpu.newest.get("gpu")
        values: dict[str, float] = row["v"]
        if before is not None:
            span_s = min(max((row["t0_ns"] - before.t0_ns) / 1e9, 0.0), GAP_PERIODS * self.period_s)
            gpu.busy_s += span_s * values.get("gpu_utilization_ratio", 0.0)
            mask = int(values.get(THROTTLE_MASK, 0))
            gpu.seconds_by_mask[mask] = gpu.seconds_by_mask.get(mask, 0.0) + span_s
        gpu.samples += 1
        gpu.last_good_s = now_s
        self._keep(row, values, now_s)

    def _apply_nvml(self, row: Row) -> None:
        self.nvml = row
        if row["state"] == "ok":
            self.driver_version = row["driver_version"]
            self.period_s = row["period_s"]
            for index in range(row["count"]):
                self.gpus.setdefault(index, GpuState())
        elif row["state"] == "ended":
            self.restarts += 1
        else:
            self.errors[(None, row["call"], row["code"])] += 1
            for gpu in self.gpus.values():
                gpu.newest.clear()


def _not_older(snapshot: Snapshot | None, limit_s: float, now_s: float) -> Snapshot | None:
    return snapshot if snapshot is not None and now_s - snapshot.arrived_s <= limit_s else None
