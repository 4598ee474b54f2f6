"""What the exporter costs: CPU and memory of both its processes with 8 scripted GPUs at 20 Hz.

`python benchmarks/exporter_cost.py [--minutes 14]`: in every second minute nobody asks the exporter for
anything, which is what sampling costs; in the others it is scraped and a load test fetches the samples
once a second. The ring is full after 10 minutes and memory grows until then; with `--keep-s 60` it is
full after one, and what follows must be flat.

CPU is what the kernel counted for the two processes. It depends on the machine: work that comes every
50 ms finds cold caches, the more so the more neighbours share them. Beside it stands how much more a
fixed piece of Python costs here every 50 ms than without a pause. NVML is the scripted library of the
tests, whose calls take microseconds: a real driver's cost more, this cannot say how much.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
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


def piece_of_work() -> int:
    """Always the same; about half a millisecond."""
    counts: dict[int, int] = {}
    for number in range(3000):
        counts[number % 100] = number
    return len(counts)


def cold_factor(times: int = 60) -> float:
    """How much more CPU the same work takes when it comes every 50 ms."""
    used = []
    for pause_s in (0.0, 0.05):
        begun = time.process_time()
        for _ in range(times):
            piece_of_work()
            if pause_s:
                time.sleep(pause_s)
        used.append(time.process_time() - begun)
    return used[1] / used[0]


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
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--hz", type=float, default=20.0)
    parser.add_argument("--keep-s", type=float, default=600.0, help="seconds of rows in the ring")
    arguments = parser.parse_args()
    print(f"{arguments.gpus} GPUs at {arguments.hz:g} Hz, scripted NVML, {arguments.minutes:g} minutes")
    print(f"work every 50 ms costs {cold_factor():.2f} times what it costs in a row")
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        journal.add(f"gpus = {arguments.gpus}", "*.util = sin(5,95,7)", "*.power_mw = sin(90000,650000,7)")
        journal.add("*.gpm = 1", *(f"*.gpm.{n} = sin(0,80,5)" for n in (2, 3, 5, 10)))
        journal.add("*.throttle = square(0,4,20)", f"*.procs = {os.getpid()}:8000000000")
        with Exporter(
            built_library(), journal, "--hz", str(arguments.hz), "--keep-s", str(arguments.keep_s)
        ) as exporter:
            exporter.wait_for_gpus(arguments.gpus)
            spans = observed(exporter, max(2, 2 * round(arguments.minutes / 2)), arguments.minutes * 60)
    alone, read = (statistics.median(s.share for s in spans if s.read is kind) for kind in (False, True))
    resident = max(span.resident_mib for span in spans)
    growth = spans[-1].resident_mib - spans[-3].resident_mib if len(spans) > 2 else 0.0
    print(f"sampling          {alone:.2%} of one core (bound {CORE_SHARE_BOUND:.0%})")
    print(f"  and read        {read:.2%} with a scrape and a fetch of samples every second")
    print(f"resident memory   {resident:.1f} MiB at most (bound {RESIDENT_BOUND_MIB})")
    print(f"last growth       {growth:+.1f} MiB over the last two minutes (bound {GROWTH_BOUND_MIB})")
    print(f"slowest /metrics  {max(span.slowest_scrape_s for span in spans) * 1000:.0f} ms")
    kept = alone <= CORE_SHARE_BOUND and resident <= RESIDENT_BOUND_MIB and growth <= GROWTH_BOUND_MIB
    print("all bounds kept" if kept else "a bound was NOT kept")
    return 0 if kept else 1


@dataclass(frozen=True)
class Span:
    """What one of the spans cost, in turn without and with readers."""

    read: bool
    share: float
    resident_mib: float
    slowest_scrape_s: float


def observed(exporter: Exporter, count: int, total_s: float) -> list[Span]:
    """Watch an exporter for some time; prints a line for each span."""
    parent = psutil.Process(exporter.pid)
    processes = [parent, *parent.children()]
    print(f"{'minute':>7} {'':9} {'core share':>11} {'RSS MiB':>9} {'load':>6}   (both processes together)")
    spans = []
    start = time.monotonic()
    for number in range(count):
        reader = Reader(exporter.url, samples=True) if number % 2 else None
        begun, cpu_begun = time.monotonic(), cpu_seconds(processes)
        tick = begun
        while time.monotonic() < start + total_s * (number + 1) / count:
            tick += 1.0
            time.sleep(max(tick - time.monotonic(), 0))
            if reader is not None:
                reader.read()
        share = (cpu_seconds(processes) - cpu_begun) / (time.monotonic() - begun)
        slowest_s = reader.slowest_s if reader is not None else 0.0
        spans.append(Span(reader is not None, share, resident_mib(processes), slowest_s))
        minute, asked = (time.monotonic() - start) / 60, "read" if reader else "alone"
        resident, load = spans[-1].resident_mib, os.getloadavg()[0]
        print(f"{minute:7.1f} {asked:9} {share:11.2%} {resident:9.1f} {load:6.1f}", flush=True)
    return spans


if __name__ == "__main__":
    sys.exit(main())
