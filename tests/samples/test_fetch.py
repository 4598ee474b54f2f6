"""The fetching process against a real exporter: nothing twice, nothing lost, faults noted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from glm_locust.samples.probing import ClockProbe
from glm_locust.samples.readings import readings_of
from glm_locust.samples.store import FETCHER, Clock, Gap, Rows, Scrape, read_samples
from tests.exporter.rig import Exporter, until


class Fetcher:
    """A running `python -m glm_locust.samples.fetch`."""

    def __init__(self, run_dir: Path, *, secret: str | None = None, **sources: dict[str, str]) -> None:
        environment = {**os.environ} | ({"GLM_SAMPLES_AUTH": secret} if secret else {})
        self.run_dir = run_dir
        self._process = subprocess.Popen(
            [sys.executable, "-m", "glm_locust.samples.fetch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        order = {"run_dir": str(run_dir), "since_ns": time.time_ns(), "host": "here"} | sources
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()

    def count(self, kind: type) -> int:
        return sum(isinstance(line, kind) for line in read_samples(self.run_dir))

    def wait_for(self, kind: type, count: int = 1) -> None:
        until(lambda: self.count(kind) >= count, f"{count} lines of {kind.__name__}")

    def end(self) -> list[str]:
        """Have it fetch once more and end; its notes."""
        told, _ = self._process.communicate(timeout=30)
        assert self._process.returncode == 0
        return told.decode().splitlines()


@pytest.fixture
def exporter() -> Exporter:
    with Exporter(None, None) as running:
        yield running


def test_rows_and_scrapes_come_once_and_to_the_end(exporter: Exporter, tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path, exporters={"e": exporter.url}, metrics={"m": f"{exporter.url}/metrics"})
    fetcher.wait_for(Rows, 3)
    fetcher.wait_for(Scrape, 3)
    before_ns = time.time_ns()
    assert fetcher.end() == []
    lines = list(read_samples(tmp_path))
    rows = [row for line in lines if isinstance(line, Rows) for row in line.rows]
    numbers = [row["seq"] for row in rows]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert max(row["t1_ns"] for row in rows) > before_ns - 1_000_000_000
    clocks = [line for line in lines if isinstance(line, Clock)]
    assert {clock.worker for clock in clocks} == {FETCHER}
    assert len(clocks) == 2, "one round at the start, one at the end"
    assert all(abs(clock.offset_ns) <= clock.bound_ns + 1_000 for clock in clocks), (
        "the clock is one and the same"
    )
    readings = readings_of(lines)
    assert 0 <= float(np.nanmean(readings.readings["host CPU"].values)) <= 1
    assert readings.readings["host memory used"].values.min() > 1e6


def test_an_exporter_that_goes_away_and_comes_back_is_a_gap(exporter: Exporter, tmp_path: Path) -> None:
    port = exporter.url.rpartition(":")[2]
    fetcher = Fetcher(tmp_path, exporters={"e": exporter.url})
    fetcher.wait_for(Rows)
    exporter.stop(signal.SIGKILL)
    fetcher.wait_for(Gap)
    before = fetcher.count(Rows)
    with Exporter(None, None, "--listen", f"127.0.0.1:{port}"):
        fetcher.wait_for(Rows, before + 1)
        (note,) = fetcher.end()
    assert note.startswith("samples: e could not be read for ")
    lines = list(read_samples(tmp_path))
    per_instance = Counter(line.instance for line in lines if isinstance(line, Rows))
    assert len(per_instance) == 2
    cpu = readings_of(lines).readings["host CPU"]
    assert np.diff(cpu.times_ns).max() > 0, "rows of the second life come after those of the first"


def test_a_source_that_is_never_there_ends_nothing(exporter: Exporter, tmp_path: Path) -> None:
    fetcher = Fetcher(tmp_path, exporters={"e": exporter.url, "gone": "http://127.0.0.1:9"})
    fetcher.wait_for(Rows, 2)
    fetcher.wait_for(Gap)
    (note,) = fetcher.end()
    assert "gone could not be read" in note


def test_credentials_are_sent_and_never_kept(tmp_path: Path) -> None:
    options = ("--basic-auth-env", "WHO")
    with Exporter(None, None, *options, environment={"WHO": "me:geheim"}) as guarded:
        fetcher = Fetcher(tmp_path, secret="me:geheim", exporters={"e": guarded.url})
        fetcher.wait_for(Rows)
        fetcher.wait_for(Clock)
        assert fetcher.end() == []
    assert not any("geheim" in repr(line) for line in read_samples(tmp_path))


def test_a_round_of_probes_holds_the_truth(exporter: Exporter) -> None:
    ahead_ns = 3_000_000_000
    found = ClockProbe(exporter.url, lambda: time.time_ns() + ahead_ns).round()
    assert abs(found.offset_ns + ahead_ns) <= found.bound_ns
    assert found.bound_ns < 50_000_000


def test_a_probe_of_something_else_fails_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="refused"):
        ClockProbe("http://127.0.0.1:9", time.time_ns).round()
