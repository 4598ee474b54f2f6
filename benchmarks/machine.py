"""What a benchmark says of the machine it ran on, and what processes cost there."""

import importlib.metadata
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("locust", "gevent", "websocket-client", "protobuf", "streamlit")


def description() -> str:
    """Processor, memory, system and versions in one line."""
    model = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory_gib = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({model}), {memory_gib:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def load() -> str:
    """How busy the machine is by itself: load averages, and how much tasks waited for a core."""
    one, five, _ = os.getloadavg()
    pressure = next((line.split()[2].partition("=")[2] for line in _lines("/proc/pressure/cpu")), None)
    waited = f", CPU pressure (60 s) {pressure} %" if pressure is not None else ""
    return f"load average {one:.1f} (1 min) {five:.1f} (5 min){waited}"


def go_first(*pids: int) -> None:
    """Have these processes run before all others of a machine that is not idle; needs privileges."""
    for pid in pids:
        for process in tree(pid):
            for thread in process.threads():
                os.sched_setscheduler(thread.id, os.SCHED_RR, os.sched_param(1))


def tree(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """User and system time so far of the processes that still run."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def waited_s(process: psutil.Process) -> float:
    """How long the main thread of a process was ready to run so far and had no core."""
    (line,) = _lines(f"/proc/{process.pid}/schedstat")
    return int(line.split()[1]) / 1e9


def pss_bytes(processes: Iterable[psutil.Process]) -> int:
    """Proportional set size: what would be free if they all ended."""
    return _smaps_bytes(processes, ("Pss:",))


def own_bytes(processes: Iterable[psutil.Process]) -> int:
    """The same without files: it does not change when others map the same libraries."""
    return _smaps_bytes(processes, ("Pss_Anon:", "Pss_Shmem:"))


def now_s() -> float:
    """For differences."""
    return time.perf_counter()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def publish(name: str, title: str, load_before: str, *parts: str, command: str = "") -> None:
    """Print the result, and keep it in `results/NAME.md` with command, machine and load."""
    words = [command] if command else [Path(sys.argv[0]).name, *sys.argv[1:]]
    command = f"python benchmarks/{shlex.join(words)}"
    text = "\n\n".join(
        (
            f"# {title}",
            f"`{command}`, {time.strftime('%Y-%m-%d')}",
            f"{description()}. Before: {load_before}; after: {load()}.",
            *parts,
        )
    )
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text + "\n")


def _smaps_bytes(processes: Iterable[psutil.Process], names: tuple[str, ...]) -> int:
    lines = (line for p in processes for line in _lines(f"/proc/{p.pid}/smaps_rollup"))
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(names))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
