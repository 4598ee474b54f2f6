"""The NVML process by itself: when it leaves of its own accord, and when it must not."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.exporter.rig import DEADLINE_S, Journal, until

pytestmark = [pytest.mark.servers, pytest.mark.compiler]


class Child:
    """A child that asks for a new process after a GPU has been away for half a second."""

    def __init__(self, library: Path, journal: Journal) -> None:
        environment = os.environ | {"LD_LIBRARY_PATH": str(library), "FAKE_NVML_SCRIPT": str(journal.path)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "glm_gpu_exporter.child", "--period-s", "0.05", "--renew-after-s", "0.5"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._rows: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._rows.put(json.loads(line))

    def wait_for(self, kind: str, **content: Any) -> dict[str, Any]:
        while True:
            row = self._rows.get(timeout=DEADLINE_S)
            if row["kind"] == kind and content.items() <= row.items():
                return row

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


@pytest.fixture
def child(library: Path, journal: Journal) -> Iterator[Child]:
    journal.add("gpus = 2")
    running = Child(library, journal)
    running.wait_for("gpu", gpu=0)
    running.wait_for("gpu", gpu=1)
    yield running
    journal.path.unlink()  # what still hangs is released
    if not running.process.stdin.closed:
        running.let_go()
    running.process.wait(DEADLINE_S)
    running.process.stdout.close()


def test_it_ends_when_its_input_ends(child: Child) -> None:
    child.let_go()
    assert child.process.wait(DEADLINE_S) == 0


def test_it_makes_room_for_a_new_process_when_a_gpu_stays_away(child: Child, journal: Journal) -> None:
    journal.add("0.fails = 15")
    assert child.process.wait(DEADLINE_S) == 0


def test_it_makes_room_when_all_gpus_stay_away(child: Child, journal: Journal) -> None:
    journal.add("*.fails = 15")
    assert child.process.wait(DEADLINE_S) == 0


def test_it_makes_room_when_the_library_has_gone_bad_for_all(child: Child, journal: Journal) -> None:
    journal.add("*.fails = 18")
    assert child.process.wait(DEADLINE_S) == 0


def test_it_never_leaves_while_a_driver_call_lasts(child: Child, journal: Journal) -> None:
    journal.add("1.hang.nvmlDeviceGetUtilizationRates = 1")
    # GPU 0 goes on alone until its own fault: by then GPU 1 counts as stuck.
    until(lambda: child.wait_for("gpu")["gpu"] == 0 and child.wait_for("gpu_slow", gpu=0), "GPU 0 goes on")
    child.wait_for("gpu_slow", gpu=0)
    child.wait_for("gpu_slow", gpu=0)
    journal.add("0.fails = 15")
    # A pause of 0.1 s doubles with every attempt: the fifth comes 1.5 s later, and it is still there.
    for _ in range(5):
        child.wait_for("gpu_fault", gpu=0)
    assert child.process.poll() is None
    child.let_go()
    with pytest.raises(subprocess.TimeoutExpired):
        child.process.wait(1.0)
    journal.add("1.hang.nvmlDeviceGetUtilizationRates = 0")
    assert child.process.wait(DEADLINE_S) == 0


def test_signals_meant_for_its_parent_do_not_end_it(child: Child) -> None:
    child.process.terminate()
    child.wait_for("gpu_slow", gpu=0)
    child.wait_for("gpu_slow", gpu=0)
    assert child.process.poll() is None
