"""Keeps an NVML child running: reads its rows, starts a new one after it has left.  Never kills it."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from glm_gpu_exporter.policy import Backoff
from glm_gpu_exporter.rows import Row, encoded

logger = logging.getLogger(__name__)

WAIT_FOR_CHILD_S = 2.0
MOST_BYTES = 65_536
NO_DRIVER_BACKOFF = (1.0, 30.0)
FAULT_BACKOFF = (0.1, 5.0)
RENEWAL_BACKOFF = (30.0, 600.0)


class ChildProcess(threading.Thread):
    """A source of rows: NVML, read in a process of its own."""

    def __init__(self, period_s: float, deliver: Callable[[list[tuple[Row, bytes]]], None]) -> None:
        super().__init__(name="nvml", daemon=True)
        self._period_s = period_s
        self._deliver = deliver
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._state = "starting"
        self._bad_gpus: set[int] = set()
        self._no_driver = Backoff(*NO_DRIVER_BACKOFF)
        self._faulty = Backoff(*FAULT_BACKOFF)
        self._renewal = Backoff(*RENEWAL_BACKOFF)

    def pid(self) -> int | None:
        """The child's process id while it runs."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def run(self) -> None:
        """Start children one after the other until closed."""
        while not self._stopping.is_set():
            try:
                self._run_child()
            except OSError as error:
                logger.warning("the NVML child cannot be started: %s", error.strerror)
            backoff = self._no_driver if self._state == "no_driver" else self._faulty
            self._stopping.wait(backoff.pause_s())

    def close(self) -> bool:
        """Asks the child to end; False when it is stuck in a driver call and was left to itself.

        It ends as soon as the driver lets go: its standard input is closed.
        """
        self._stopping.set()
        process = self._process
        if process is None:
            return True
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(WAIT_FOR_CHILD_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _run_child(self) -> None:
        command = [
            *(sys.executable, "-P", "-m", "glm_gpu_exporter.child"),
            *("--period-s", str(self._period_s)),
            *("--renew-after-s", str(self._renewal.next_s or RENEWAL_BACKOFF[0])),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._state = "starting"
        self._bad_gpus.clear()
        with self._process.stdout as pipe:
            rest = b""
            while chunk := os.read(pipe.fileno(), MOST_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                self._take(lines)
        code = self._process.wait()
        self._process.stdin.close()
        if self._bad_gpus:
            self._renewal.pause_s()
        else:
            self._renewal.reset()
        if self._state not in ("no_driver", "error") and not self._stopping.is_set():
            now_ns = time.time_ns()
            row: Row = {"kind": "nvml", "t0_ns": now_ns, "t1_ns": now_ns, "state": "ended", "code": code}
            self._deliver([(row, encoded(row))])

    def _take(self, lines: list[bytes]) -> None:
        batch = list(zip(_decoded(lines), lines, strict=True))
        for row, _ in batch:
            kind = row["kind"]
            if kind == "nvml":
                self._state = row["state"]
            elif kind == "gpu_fault":
                self._bad_gpus.add(row["gpu"])
            elif kind == "gpu":
                self._bad_gpus.discard(row["gpu"])
                self._no_driver.reset()
                self._faulty.reset()
        if batch:
            self._deliver(batch)


def _decoded(lines: list[bytes]) -> list[Row]:
    rows: list[Row] = json.loads(b"[%s]" % b",".join(lines))
    return rows
