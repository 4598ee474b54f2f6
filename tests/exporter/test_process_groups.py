"""Process groups: real processes by command line; CPU time does not fall when one ends."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest
from glm_gpu_exporter.process_groups import Group, ProcessGroups

from tests.exporter.rig import Exporter, Journal, until

SPIN = """
import sys, time
sys.stdin.read(1)
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
print("spun", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def mark() -> str:
    """A word that only the processes of one test have in their command lines."""
    return f"mark-{uuid.uuid4().hex}"


@pytest.fixture
def spinner(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    """Burns 0.3 s of CPU at the first byte, lives until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", SPIN, mark], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        if process.stdin is not None:
            process.stdin.close()


def spin(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.readline() == b"spun\n"


def test_a_group_uses_what_its_processes_use(mark: str, spinner: subprocess.Popen[bytes]) -> None:
    groups = ProcessGroups(
        [Group("mine", re.compile(mark)), Group("later", re.compile("python"))], lambda: [os.getpid()]
    )
    first = groups.sample()["mine"]
    assert (first["processes"], first["cpu_seconds_total"]) == (1, 0.0)
    assert first["resident_memory_bytes"] > 1_000_000
    assert groups.group_of(spinner.pid) == "mine"
    spin(spinner)
    assert groups.sample()["mine"]["cpu_seconds_total"] >= 0.25
    assert spinner.stdin is not None
    spinner.stdin.close()
    spinner.wait()
    last = groups.sample()["mine"]
    assert (last["processes"], last["resident_memory_bytes"]) == (0, 0.0)
    assert last["cpu_seconds_total"] >= 0.25
    assert groups.group_of(spinner.pid) == ""


def test_a_process_that_starts_later_counts_from_its_beginning(mark: str) -> None:
    groups = ProcessGroups([Group("mine", re.compile(mark))], lambda: [os.getpid()])
    assert groups.sample()["mine"]["processes"] == 0
    with subprocess.Popen(
        [sys.executable, "-c", SPIN, mark], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as late:
        spin(late)
        assert groups.sample()["mine"]["cpu_seconds_total"] >= 0.25
        assert late.stdin is not None
        late.stdin.close()


def test_no_groups_no_walk() -> None:
    assert ProcessGroups([], list).sample() == {}


@pytest.mark.servers
@pytest.mark.compiler
def test_device_memory_is_added_up_by_group(
    start: Callable[..., Exporter], journal: Journal, mark: str, spinner: subprocess.Popen[bytes], tmp_path
) -> None:
    (tmp_path / "groups.toml").write_text(f"[[process_group]]\nname = 'mine'\ncommand = '{mark}'\n")
    journal.add("gpus = 2", f"*.procs = {spinner.pid}:8000,{os.getpid()}:500")
    exporter = start("--config", str(tmp_path / "groups.toml"))
    scrape = exporter.wait_for(
        "both GPUs", lambda s: s.all("process_group_gpu_memory_bytes", group="mine") == [8000, 8000]
    )
    assert scrape.one("gpu_process_memory_bytes", gpu="1", pid=str(os.getpid()), group="") == 500
    assert scrape.one("process_group_processes", group="mine") == 1
    journal.add("0.procs = ")
    exporter.wait_for(
        "the process has left GPU 0", lambda s: len(s.all("process_group_gpu_memory_bytes")) == 1
    )
    until(lambda: not exporter.scrape().all("gpu_process_memory_bytes", gpu="0"), "nothing is left on GPU 0")
