"""What the exporter costs: CPU and memory of both its processes with 8 scripted GPUs at 20 Hz.

`python benchmarks/exporter_cost.py [--minutes 10]`: the ring is full after 10 minutes and memory grows
until then; with `--keep-s 60` it is full after one, and what follows must be flat. A scrape and a load
test's fetch of samples go on every second. CPU is what the kernel counted for the two processes, which
is more on a machine whose cores are shared: the load average stands beside it. NVML is the scripted
library of the tests, whose calls take microseconds: a real driver's cost more, this cannot say how much.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.exporter.rig import Exporter, Journal, built_library

CORE_SHARE_BOUND = 0.04
RESIDENT_BOUND_MIB = 60
GROWTH_BOUND_MIB = 2


def cpu_seconds(processes: list[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (p.cpu_times() for p in processes))


def resident_mib(processes: list[psutil.Process]) -> float:
    return sum(p.memory_info().rss for p in processes) / 2**20


def fetch(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


class Reader:
    """What goes on beside the sampling: a scrape, and the samples since the last look, every second."""

    def __init__(self, url: str, samples: bool) -> None:
        self._url = url
        self._samples = samples
        self._since = 0
        self.slowest_s = 0.0

    def read(self) -> None:
        began = time.perf_counter()
        fetch(f"{self._url}/metrics")
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
        while self._samples:
            with urllib.request.urlopen(f"{self._url}/v1/samples?since={self._since}", timeout=10) as answer:
                header = json.loads(answer.readline())
            self._since = header["next"]
            if not header["more"]:
                break


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--hz", type=float, default=20.0)
    parser.add_argument("--keep-s", type=float, default=600.0, help="seconds of rows in the ring")
    parser.add_argument("--no-samples", action="store_true", help="scrape only, fetch no samples")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        journal.add(f"gpus = {arguments.gpus}", "*.util = sin(5,95,7)", "*.power_mw = sin(90000,650000,7)")
        journal.add("*.gpm = 1", *(f"*.gpm.{n} = sin(0,80,5)" for n in (2, 3, 5, 10)))
        journal.add("*.throttle = square(0,4,20)", f"*.procs = {os.getpid()}:8000000000")
        with Exporter(
            built_library(), journal, "--hz", str(arguments.hz), "--keep-s", str(arguments.keep_s)
        ) as exporter:
            exporter.wait_for_gpus(arguments.gpus)
            parent = psutil.Process(exporter.pid)
            processes = [parent, *parent.children()]
            reader = Reader(exporter.url, not arguments.no_samples)
            print(
                f"{arguments.gpus} GPUs at {arguments.hz:g} Hz, scripted NVML, {arguments.minutes:g} minutes"
            )
            print(f"{'minute':>7} {'core share':>11} {'RSS MiB':>9} {'load':>6}   (both processes together)")
            residents = []
            start = mark = time.monotonic()
            cpu_start = cpu_mark = cpu_seconds(processes)
            report_s = max(min(60.0, arguments.minutes * 60 / 10), 5.0)
            tick = start
            while time.monotonic() - start < arguments.minutes * 60:
                tick += 1.0
                time.sleep(max(tick - time.monotonic(), 0))
                reader.read()
                now = time.monotonic()
                if now - mark >= report_s:
                    cpu = cpu_seconds(processes)
                    residents.append(resident_mib(processes))
                    minute, share = (now - start) / 60, (cpu - cpu_mark) / (now - mark)
                    load = os.getloadavg()[0]
                    print(f"{minute:7.1f} {share:11.2%} {residents[-1]:9.1f} {load:6.1f}", flush=True)
                    mark, cpu_mark = now, cpu
            share = (cpu_seconds(processes) - cpu_start) / (time.monotonic() - start)
    growth = residents[-1] - residents[-2] if len(residents) > 1 else 0.0
    print(f"share of one core {share:.2%} (bound {CORE_SHARE_BOUND:.0%})")
    print(f"resident memory   {max(residents):.1f} MiB at most (bound {RESIDENT_BOUND_MIB})")
    print(f"last growth       {growth:+.1f} MiB between the last two lines (bound {GROWTH_BOUND_MIB})")
    print(f"slowest /metrics  {reader.slowest_s * 1000:.0f} ms")
    kept = share <= CORE_SHARE_BOUND and max(residents) <= RESIDENT_BOUND_MIB and growth <= GROWTH_BOUND_MIB
    print("all bounds kept" if kept else "a bound was NOT kept")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
