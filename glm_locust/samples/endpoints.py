"""What is understood of Prometheus endpoints: engines' queues and caches, node_exporter's host."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_KEY = re.compile(r"([^{]+)(?:\{(.*)\})?")
_MODE = re.compile(r'(?:^|,)mode="([^"]*)"')
_CPU = re.compile(r'(?:^|,)cpu="([^"]*)"')
IDLE_MODES = ("idle", "iowait", "guest", "guest_nice")
"""guest and guest_nice are counted in user and nice already."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric of an endpoint as a reading; `over` joins the values of its label sets."""

    device: str
    quantity: str
    over: Callable[[Iterable[float]], float]


ENGINE = "engine"
_WAITING = Gauge(ENGINE, "requests_waiting", sum)
_RUNNING = Gauge(ENGINE, "requests_running", sum)
_CACHE = Gauge(ENGINE, "kv_cache", max)

GAUGES = {
    "vllm:num_requests_waiting": _WAITING,
    "vllm:num_requests_running": _RUNNING,
    "vllm:kv_cache_usage_perc": _CACHE,
    "vllm:gpu_cache_usage_perc": _CACHE,
    "sglang:num_queue_reqs": _WAITING,
    "sglang:num_running_reqs": _RUNNING,
    "sglang:token_usage": _CACHE,
    "tgi_queue_size": _WAITING,
    "tgi_batch_current_size": _RUNNING,
    "llamacpp:requests_deferred": _WAITING,
    "llamacpp:requests_processing": _RUNNING,
}


@dataclass(frozen=True, slots=True)
class Understood:
    """One scrape: (device, quantity) -> value."""

    gauges: dict[tuple[str, str], float]
    busy_cpu_s: float | None
    """node_exporter: seconds that its host's CPUs were busy, as a counter."""
    cpus: int
    known: frozenset[str]
    """Names of the metrics that this comes from."""


def understood(values: Mapping[str, float]) -> Understood:
    """What one scrape says; all else stays in the raw samples."""
    groups: dict[Gauge, list[float]] = defaultdict(list)
    plain: dict[str, float] = {}
    busy_s: list[float] = []
    cpus: set[str] = set()
    known: set[str] = set()
    for key, value in values.items():
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        name, labels = match[1], match[2] or ""
        if (gauge := GAUGES.get(name)) is not None:
            groups[gauge].append(value)
            known.add(name)
        elif name == "node_cpu_seconds_total":
            known.add(name)
            cpus.update(_CPU.findall(labels))
            if not set(_MODE.findall(labels)) & set(IDLE_MODES):
                busy_s.append(value)
        elif name in ("node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes"):
            known.add(name)
            plain[name] = value
    gauges = {(gauge.device, gauge.quantity): gauge.over(found) for gauge, found in groups.items()}
    if len(plain) == 2:
        used = plain["node_memory_MemTotal_bytes"] - plain["node_memory_MemAvailable_bytes"]
        gauges["host", "memory_used"] = used
    return Understood(gauges, sum(busy_s) if busy_s else None, max(1, len(cpus)), frozenset(known))
