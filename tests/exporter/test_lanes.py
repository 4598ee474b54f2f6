"""Which GPUs share a thread: seen from outside, by the rows and by the threads of the NVML process."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.exporter.rig import Exporter, Journal, until

pytestmark = [pytest.mark.servers, pytest.mark.compiler]

GPUS = 8
PERIOD_S = 0.05


def threads(exporter: Exporter) -> int:
    (child,) = exporter.children()
    return psutil.Process(child.pid).num_threads()


def rows_of(exporter: Exporter, gpu: int, since_ns: int) -> list[int]:
    """When this GPU was sampled, in ns."""
    return [
        row["t0_ns"]
        for row in exporter.rows()
        if row["kind"] == "gpu" and row["gpu"] == gpu and row["t0_ns"] >= since_ns
    ]


@pytest.fixture
def quick(library: Path, journal: Journal) -> Iterator[Exporter]:
    journal.add(f"gpus = {GPUS}")
    with Exporter(library, journal, "--hz", str(1 / PERIOD_S)) as exporter:
        exporter.wait_for_gpus(GPUS)
        yield exporter


def settled(exporter: Exporter) -> int:
    """The threads of a process all of whose GPUs share one: those who were slow at first are back."""
    fewest = min(threads(exporter) for _ in range(3))

    def unchanged() -> bool:
        nonlocal fewest
        since_ns = time.time_ns()
        until(lambda: len(rows_of(exporter, 0, since_ns)) >= 120, "six seconds of samples")
        before, fewest = fewest, threads(exporter)
        return before == fewest

    until(unchanged, "the number of threads stays")
    return fewest


def test_a_gpu_that_hangs_leaves_the_others_after_a_moment(quick: Exporter, journal: Journal) -> None:
    shared = settled(quick)
    begun_ns = time.time_ns()
    journal.add("3.hang.nvmlDeviceGetUtilizationRates = 1")
    until(lambda: threads(quick) > shared, "another thread")
    until(lambda: len(rows_of(quick, 7, begun_ns)) >= 60, "three seconds of samples of another GPU")
    at_ns = rows_of(quick, 7, begun_ns)
    longest_s = max(later - earlier for earlier, later in itertools.pairwise(at_ns)) / 1e9
    assert longest_s < 1.0
    assert quick.scrape().one("gpu_up", gpu="3") == 0
    assert quick.scrape().one("gpu_up", gpu="7") == 1
    journal.add("3.hang.nvmlDeviceGetUtilizationRates = 0")
    quick.wait_for("the GPU back", lambda scrape: scrape.one("gpu_up", gpu="3") == 1)
    until(lambda: threads(quick) <= shared, "it shares the thread again")


def test_a_slow_gpu_samples_alone(quick: Exporter, journal: Journal) -> None:
    shared = settled(quick)
    journal.add("5.delay_us.nvmlDeviceGetUtilizationRates = 40000")
    until(lambda: threads(quick) > shared, "another thread")
    begun_ns = time.time_ns()
    until(lambda: len(rows_of(quick, 0, begun_ns)) >= 100, "a hundred samples of another GPU")
    at_ns = rows_of(quick, 0, begun_ns)
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(at_ns))
    assert gaps[len(gaps) // 2] / 1e9 == pytest.approx(PERIOD_S, rel=0.2)
    assert quick.scrape().one("gpu_up", gpu="5") == 1
