"""The NVML process: samples all GPUs, rows on standard output, ends when standard input ends.

It leaves of its own accord only when a new process could do better, and never while a driver call is
under way: ending a process inside the driver has been seen to freeze a GPU.
"""

import argparse
import io
import os
import signal
import sys
import threading
import time
from collections import deque

from glm_gpu_exporter import nvml, policy
from glm_gpu_exporter.gpu_sampler import GpuSampler
from glm_gpu_exporter.lanes import Lanes
from glm_gpu_exporter.rows import Row, encoded
from glm_gpu_exporter.xid_watch import XidWatch

FLUSH_PERIOD_S = 0.2
UNSENT_ROWS = 20_000
ALL_BAD_S = 1.0
LOOK_PERIOD_S = 0.1


class Outbox(threading.Thread):
    """Sends rows to the parent in batches; samplers never wait for it."""

    def __init__(self, pipe: io.FileIO, stop: threading.Event) -> None:
        super().__init__(name="outbox")
        self._pipe = io.BufferedWriter(pipe)
        self._stopping = stop
        self._done = threading.Event()
        self._rows: deque[Row] = deque()
        self._dropped = 0

    def put(self, row: Row) -> None:
        """Sends a row soon; the oldest is thrown away where too many wait."""
        self._rows.append(row)
        if len(self._rows) > UNSENT_ROWS:
            self._rows.popleft()
            self._dropped += 1

    def run(self) -> None:
        """Send until finished or until the parent is gone."""
        try:
            while not self._done.wait(FLUSH_PERIOD_S):
                self._flush()
            self._flush()
        except BrokenPipeError:
            self._stopping.set()

    def finish(self) -> None:
        """Sends what waits and ends the thread."""
        self._done.set()
        self.join()

    def _flush(self) -> None:
        if self._dropped:
            now_ns = time.time_ns()
            dropped, self._dropped = self._dropped, 0
            self._rows.append({"kind": "dropped", "t0_ns": now_ns, "t1_ns": now_ns, "n": dropped})
        lines = []
        while self._rows:
            lines.append(encoded(self._rows.popleft()))
        if lines:
            self._pipe.write(b"\n".join(lines) + b"\n")
            self._pipe.flush()


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()


def _serves_no_purpose(samplers: list[GpuSampler], renew_after_s: float) -> bool:
    """Whether a new process could do better than this one."""
    if not samplers or any(sampler.stuck() for sampler in samplers):
        return False
    now = time.monotonic()
    bad_for_s = [now - sampler.bad_since for sampler in samplers if sampler.bad_since is not None]
    codes = {sampler.fault.code for sampler in samplers if sampler.fault is not None}
    all_bad = len(bad_for_s) == len(samplers) and min(bad_for_s) > ALL_BAD_S
    if all_bad and codes & policy.CURED_BY_A_NEW_PROCESS:
        return True
    # A GPU that has come back on the bus is seen only after every use of the library has ended.
    return any(span > renew_after_s for span in bad_for_s)


def _sample(count: int, period_s: float, renew_after_s: float, outbox: Outbox, stop: threading.Event) -> None:
    samplers = [GpuSampler(index, outbox.put) for index in range(count)]
    lanes = Lanes(samplers, period_s, stop)
    xid_watch = XidWatch(count, outbox.put, stop)
    lanes.start()
    xid_watch.start()
    while not stop.wait(LOOK_PERIOD_S):
        lanes.look()
        if not xid_watch.stuck() and _serves_no_purpose(samplers, renew_after_s):
            stop.set()
    lanes.join()
    xid_watch.join()
    for sampler in samplers:
        sampler.close()


def main() -> int:
    """Runs the child; started by ``child_process`` only."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--period-s", type=float, required=True)
    parser.add_argument("--renew-after-s", type=float, required=True)
    options = parser.parse_args()
    # The parent decides when to stop; a Ctrl-C at the terminal reaches both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A library that prints must not print between the rows.
    pipe = io.FileIO(os.dup(1), "w")
    os.dup2(2, 1)
    stop = threading.Event()
    threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
    outbox = Outbox(pipe, stop)
    outbox.start()
    now_ns = time.time_ns()
    hello: Row = {"kind": "nvml", "t0_ns": now_ns, "t1_ns": now_ns}
    try:
        count = nvml.initialise()
    except nvml.NvmlError as fault:
        state = "no_driver" if fault.code in policy.NO_DRIVER else "error"
        outbox.put({**hello, "state": state, "call": fault.call, "code": fault.code})
    else:
        version = nvml.driver_version()
        outbox.put(
            {**hello, "state": "ok", "count": count, "driver_version": version, "period_s": options.period_s}
        )
        _sample(count, options.period_s, options.renew_after_s, outbox, stop)
    outbox.finish()
    return 0


if __name__ == "__main__":
    sys.exit(main())
