"""The thread that reads host and processes: in the background, so that no scrape waits for a walk."""

import threading
import time
from collections.abc import Callable, Iterable

import psutil

from glm_gpu_exporter.process_groups import ProcessGroups
from glm_gpu_exporter.rows import Row

HOST_PERIOD_S = 0.2
GROUPS_PERIOD_S = 1.0
IDLE_FIELDS = frozenset({"idle", "iowait", "guest", "guest_nice"})
"""guest and guest_nice are counted in user and nice already."""


class HostSampler(threading.Thread):
    """A source of rows: CPU and memory of host, process groups and the exporter itself."""

    def __init__(
        self, groups: ProcessGroups, own_pids: Callable[[], Iterable[int]], deliver: Callable[[Row], None]
    ) -> None:
        super().__init__(name="host", daemon=True)
        self._groups = groups
        self._own_pids = own_pids
        self._deliver = deliver
        self._stopping = threading.Event()
        self._slow: dict[str, float] = {}

    def run(self) -> None:
        """Sample until closed."""
        due = groups_due = time.monotonic()
        while not self._stopping.is_set():
            if time.monotonic() >= groups_due:
                groups_due = time.monotonic() + GROUPS_PERIOD_S
                self._sample_processes()
                self._slow = {**_memory(), **self._own_cost()}
            self._sample_host()
            due = max(due + HOST_PERIOD_S, time.monotonic() - HOST_PERIOD_S)
            self._stopping.wait(max(due - time.monotonic(), 0))

    def close(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def _sample_host(self) -> None:
        t0_ns = time.time_ns()
        times = psutil.cpu_times()._asdict()
        busy_s = round(sum(s for k, s in times.items() if k not in IDLE_FIELDS), 2)
        values = {"host_cpu_seconds_total": busy_s, **self._slow}
        self._deliver({"kind": "host", "t0_ns": t0_ns, "t1_ns": time.time_ns(), "v": values})

    def _sample_processes(self) -> None:
        t0_ns = time.time_ns()
        groups = self._groups.sample()
        if groups:
            self._deliver(
                {"kind": "process_groups", "t0_ns": t0_ns, "t1_ns": time.time_ns(), "groups": groups}
            )

    def _own_cost(self) -> dict[str, float]:
        cpu_s = resident = 0.0
        for pid in self._own_pids():
            try:
                process = psutil.Process(pid)
                times = process.cpu_times()
                cpu_s += times.user + times.system
                resident += process.memory_info().rss
            except psutil.Error:
                continue
        return {
            "gpu_exporter_cpu_seconds_total": round(cpu_s, 2),
            "gpu_exporter_resident_memory_bytes": resident,
        }


def _memory() -> dict[str, float]:
    memory = psutil.virtual_memory()
    return {
        "host_cpus": psutil.cpu_count() or 0,
        "host_memory_used_bytes": memory.total - memory.available,
        "host_memory_total_bytes": memory.total,
    }
