"""Turns the state into metric families for prometheus_client; reads nothing itself."""

import os
from collections import defaultdict
from collections.abc import Iterable

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, UnknownMetricFamily

from glm_gpu_exporter import __version__
from glm_gpu_exporter.intake import Intake
from glm_gpu_exporter.metrics import DCGM_ALIASES, METRICS, PLAIN_GPU_GAUGES
from glm_gpu_exporter.nvml_reasons import THROTTLE_MASK, THROTTLE_REASONS
from glm_gpu_exporter.state import GpuState, State

DCGM_LABELS = ("gpu", "UUID", "pci_bus_id", "device", "modelName", "hostname")
HOST_METRICS = ("host_cpu_seconds_total", "host_cpus", "host_memory_used_bytes", "host_memory_total_bytes")


class _Families:
    """Collects samples by metric name and yields each family once, in the order of METRICS."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)

    def add(self, name: str, labels: Iterable[object], value: float) -> None:
        self._samples[name].append((tuple(str(label) for label in labels), value))

    def families(self) -> Iterable[Family]:
        for metric in METRICS:
            samples = self._samples.get(metric.name)
            if not samples:
                continue
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.doc, labels=metric.labels)
            for labels, value in samples:
                family.add_metric(labels, value)
            yield family


class Collector:
    """What a scrape sees.  Made anew from the state each time, so nothing outlives its reading."""

    def __init__(self, intake: Intake, dcgm_compat: bool) -> None:
        self._intake = intake
        self._dcgm_compat = dcgm_compat
        self._hostname = os.uname().nodename

    def collect(self) -> Iterable[Family]:
        """All families with samples."""
        out = _Families()
        aliases: dict[str, list[tuple[tuple[str, ...], float]]] = defaultdict(list)
        with self._intake.now() as (state, now_s):
            out.add("gpu_exporter_info", (__version__,), 1)
            out.add("gpu_exporter_child_ends_total", (), state.restarts)
            out.add("gpu_exporter_rows_total", (), state.rows)
            out.add("gpu_exporter_rows_dropped_total", (), state.dropped)
            self._library(out, state)
            for index, gpu in sorted(state.gpus.items()):
                values = self._gpu(out, state, index, gpu, now_s)
                if self._dcgm_compat and values:
                    self._dcgm(aliases, index, gpu, values)
            self._host(out, state, now_s)
        yield from out.families()
        for alias in DCGM_ALIASES:
            if alias.name in aliases:
                # Untyped, since a counter of prometheus_client cannot go without _total.
                family = UnknownMetricFamily(
                    alias.name, f"{alias.metric} in {alias.unit}", labels=DCGM_LABELS
                )
                for labels, value in aliases[alias.name]:
                    family.add_metric(labels, value)
                yield family

    def _library(self, out: _Families, state: State) -> None:
        nvml = state.nvml
        if nvml is not None and nvml["state"] != "no_driver":
            out.add("gpu_nvml_up", (), float(nvml["state"] != "error"))
        for (index, call, code), n in state.errors.items():
            out.add("gpu_nvml_errors_total", ("" if index is None else index, call, code), n)

    def _gpu(self, out: _Families, state: State, index: int, gpu: GpuState, now_s: float) -> dict[str, float]:
        up = state.up(gpu, now_s)
        out.add("gpu_up", (index,), float(up))
        out.add("gpu_samples_total", (index,), gpu.samples)
        if gpu.last_good_s is not None:
            out.add("gpu_sample_age_seconds", (index,), max(now_s - gpu.last_good_s, 0.0))
        for call, reason in gpu.disabled.items():
            out.add("gpu_metric_disabled", (index, call, reason), 1)
        for xid, n in gpu.xids.items():
            out.add("gpu_xid_errors_total", (index, xid), n)
            out.add("gpu_xid_last_timestamp_seconds", (index, xid), gpu.xid_ns[xid] / 1e9)
        sample = state.fresh(gpu, "gpu", now_s)
        if sample is None or not gpu.identity:
            return {}
        who = (index, gpu.identity["uuid"])
        values: dict[str, float] = dict(sample.content)
        for kind in ("gpu_slow", "gpu_activity"):
            snapshot = state.fresh(gpu, kind, now_s)
            values.update({} if snapshot is None else snapshot.content)
        identity = gpu.identity
        described = (identity["name"], identity["pci_bus_id"], state.driver_version)
        out.add("gpu_info", (*who, *described, identity["memory_api"], identity["power_source"]), 1)
        out.add("gpu_sample_duration_seconds", (index,), (sample.t1_ns - sample.t0_ns) / 1e9)
        for name in PLAIN_GPU_GAUGES:
            if name in values:
                out.add(name, who, values[name])
        if "gpu_energy_joules_total" in values:
            out.add("gpu_energy_joules_total", who, values["gpu_energy_joules_total"])
        if "gpu_utilization_ratio" in values:
            out.add("gpu_busy_seconds_total", who, gpu.busy_s)
        if THROTTLE_MASK in values:
            mask = int(values[THROTTLE_MASK])
            for reason, bit in THROTTLE_REASONS.items():
                out.add("gpu_throttle_active", (*who, reason), float(bool(mask & bit)))
                out.add("gpu_throttled_seconds_total", (*who, reason), gpu.throttled_s(bit))
        self._processes(out, state, gpu, who, now_s)
        return values

    def _processes(
        self, out: _Families, state: State, gpu: GpuState, who: tuple[int, str], now_s: float
    ) -> None:
        mig = state.fresh(gpu, "gpu_mig", now_s)
        for instance in mig.content if mig is not None else ():
            labels = (who[0], instance["uuid"], instance["gpu_instance_id"], instance["compute_instance_id"])
            for part in ("used", "total"):
                value = instance["v"][f"gpu_memory_{part}_bytes"]
                out.add(f"gpu_mig_memory_{part}_bytes", labels, value)
        processes = state.fresh(gpu, "gpu_processes", now_s)
        # A process that uses several MIG devices of a GPU is listed once for each.
        by_process: dict[tuple[int, str], float] = defaultdict(float)
        by_group: dict[str, float] = defaultdict(float)
        for process in processes.content if processes is not None else ():
            by_process[(process["pid"], process["group"])] += process["bytes"]
            by_group[process["group"]] += process["bytes"]
        for (pid, group), used in by_process.items():
            out.add("gpu_process_memory_bytes", (*who, pid, group), used)
        for group, used in by_group.items():
            if group:
                out.add("process_group_gpu_memory_bytes", (group, *who), used)

    def _host(self, out: _Families, state: State, now_s: float) -> None:
        host = state.host(now_s)
        if host is not None:
            for name in HOST_METRICS:
                out.add(name, (), host[name])
            for name in ("gpu_exporter_cpu_seconds_total", "gpu_exporter_resident_memory_bytes"):
                if name in host:
                    out.add(name, (), host[name])
        for group, usage in state.groups(now_s).items():
            for part, value in usage.items():
                out.add(f"process_group_{part}", (group,), value)

    def _dcgm(
        self,
        aliases: dict[str, list[tuple[tuple[str, ...], float]]],
        index: int,
        gpu: GpuState,
        values: dict[str, float],
    ) -> None:
        identity = gpu.identity
        who = (identity["uuid"], identity["pci_bus_id"], f"nvidia{index}", identity["name"], self._hostname)
        for alias in DCGM_ALIASES:
            if alias.metric in values:
                aliases[alias.name].append(((str(index), *who), values[alias.metric] * alias.factor))
