"""Which processes belong to which group by command line, and what each group uses."""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import psutil

LOOK_AGAIN_AFTER = frozenset({1, 5})
"""Samples after the first: a process that has just been forked still shows its parent's command line."""

LOOK_AGAIN_EVERY = 30
"""Every known process is looked at again once in so many samples: a process id may have been used anew."""


@dataclass(frozen=True, slots=True)
class Group:
    """A name and the regular expression that is searched in command lines."""

    name: str
    command: re.Pattern[str]


_MODEL_SERVERS = r"\bvllm\b|VLLM::|\bsglang\b|\btransformers(-cli)? serve\b|\buvicorn\b|\btestbed\.server\b"

DEFAULT_GROUPS = (
    Group("model-server", re.compile(_MODEL_SERVERS)),
    Group("streamlit", re.compile(r"\bstreamlit\b")),
    Group("jupyter", re.compile(r"\bjupyter|\bipykernel")),
)


@dataclass(slots=True)
class _Known:
    group: str
    first_sample: int
    process: psutil.Process | None
    cpu_s: float | None = None


class ProcessGroups:
    """Follows the processes of each group.

    A process belongs to the first group whose pattern it matches; children count only if they match.
    The CPU seconds of a group never fall when a process ends.
    """

    def __init__(self, groups: Iterable[Group], own_pids: Callable[[], Iterable[int]]) -> None:
        self._groups = tuple(groups)
        self._own_pids = own_pids
        self._known: dict[int, _Known] = {}
        self._cpu_s = {group.name: 0.0 for group in self._groups}
        self._samples = 0
        self._lock = threading.Lock()

    def group_of(self, pid: int) -> str:
        """The group of a process, empty for none."""
        with self._lock:
            known = self._known.get(pid)
        return "" if known is None else known.group

    def sample(self) -> dict[str, dict[str, float]]:
        """Group -> what its processes use now; CPU seconds since the first sample."""
        if not self._groups:
            return {}
        self._samples += 1
        pids = set(psutil.pids()) - set(self._own_pids())
        with self._lock:
            for pid in self._known.keys() - pids:
                del self._known[pid]
        usage = {name: {"resident_memory_bytes": 0.0, "processes": 0.0} for name in self._cpu_s}
        for pid in pids:
            known = self._look(pid)
            if known is not None and known.process is not None:
                self._add(known, usage[known.group])
        return {name: {"cpu_seconds_total": round(self._cpu_s[name], 2), **usage[name]} for name in usage}

    def _look(self, pid: int) -> _Known | None:
        known = self._known.get(pid)
        if known is not None:
            young = self._samples - known.first_sample in LOOK_AGAIN_AFTER
            if not young and (pid + self._samples) % LOOK_AGAIN_EVERY:
                return known
        try:
            process = psutil.Process(pid)
            command = " ".join(process.cmdline())
        except psutil.Error:
            return known
        group = next((group.name for group in self._groups if group.command.search(command)), "")
        if known is None or known.group != group or (known.process is not None and known.process != process):
            first_sample = self._samples if known is None else known.first_sample
            # What a process had used before we began to watch is not this group's use under our eyes.
            cpu_s = None if self._samples == 1 else 0.0
            known = _Known(group, first_sample, process if group else None, cpu_s)
            with self._lock:
                self._known[pid] = known
        return known

    def _add(self, known: _Known, usage: dict[str, float]) -> None:
        assert known.process is not None
        try:
            with known.process.oneshot():
                times = known.process.cpu_times()
                resident = known.process.memory_info().rss
        except psutil.Error:
            return
        cpu_s = times.user + times.system
        if known.cpu_s is not None:
            self._cpu_s[known.group] += max(cpu_s - known.cpu_s, 0.0)
        known.cpu_s = cpu_s
        usage["resident_memory_bytes"] += resident
        usage["processes"] += 1
