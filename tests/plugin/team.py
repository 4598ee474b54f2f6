"""Real Locust processes: a master, two workers and the marker server, each ended by its PID."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from glm_locust.records import RequestRecord, RunFooter, RunHeader, decode_line

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LOCUSTFILE = HERE / "locustfile.py"
DEADLINE_S = 60.0


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    pause = threading.Event()
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        pause.wait(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Team:
    """Everything that one test starts, in a directory of its own."""

    def __init__(
        self, directory: Path, *, answer_s: float = 0.3, locustfile: Path = LOCUSTFILE, liveness: int = 3
    ) -> None:
        """`liveness`: how many heartbeats a worker may miss; Locust's own 3 are few on a busy machine."""
        self.directory = directory
        self.locustfile = locustfile
        self.log = directory / "server.log"
        self.log.touch()
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "MARKER_ANSWER_S": str(answer_s),
            "MARKER_LIVENESS": str(liveness),
        }
        server = self.start("server", [sys.executable, str(ROOT / "tests/servers/marker.py"), str(self.log)])
        del server
        output = self.directory / "server.out"
        until(lambda: output.read_text().endswith("\n"), "the marker server prints its port")
        self.environment["MARKER_PORT"] = output.read_text().strip()

    def start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.directory / f"{name}.out").open("wb") as output:
            process = self.processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environment,
                start_new_session=True,
            )
        return process

    def locust(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "locust", "-f", str(self.locustfile), *arguments]
        return self.start(name, command)

    def start_all(self, *arguments: str, users: int = 10) -> None:
        for name in ("worker1", "worker2"):
            self.locust(name, "--worker", "--master-port", str(self.port))
        self.start_master("--headless", "-u", str(users), "-r", str(users), *arguments)

    def start_master(self, *arguments: str) -> None:
        port = str(self.port)
        options = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
        self.locust("master", *options, "--expect-workers", "2", "--only-summary", *arguments)

    def kill(self, name: str, signum: int) -> None:
        self.processes[name].send_signal(signum)

    def code(self, name: str = "master") -> int:
        return self.processes[name].wait(DEADLINE_S)

    def said(self, name: str = "master") -> str:
        return (self.directory / f"{name}.out").read_text()

    def answered(self) -> list[str]:
        return [line.split()[1] for line in self.log.read_text().splitlines() if line.startswith("finished")]

    def wait_for_answers(self, count: int) -> None:
        def there() -> bool:
            assert self.processes["master"].poll() is None, self.said()[-3000:]
            return len(self.answered()) >= count

        until(there, f"{count} answers")

    @property
    def run_dirs(self) -> list[Path]:
        return sorted((self.directory / "runs").glob("*-*"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


class Result(msgspec.Struct):
    header: RunHeader
    records: list[RequestRecord]
    footer: RunFooter | None


def read(run_dir: Path) -> Result:
    lines = [decode_line(line) for line in (run_dir / "run.jsonl").read_bytes().splitlines()]
    header = lines[0]
    assert isinstance(header, RunHeader)
    records = [line for line in lines if isinstance(line, RequestRecord)]
    footers = [line for line in lines if isinstance(line, RunFooter)]
    assert len(footers) <= 1
    assert len(lines) == 1 + len(records) + len(footers)
    return Result(header, records, footers[0] if footers else None)
