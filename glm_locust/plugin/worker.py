"""The worker's side of a run: a recorder from the first user to the last acknowledgement."""

import gc
import logging
import os
import platform
from pathlib import Path
from typing import Any

import gevent
import gevent.event
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import WorkerRunner

from glm_locust.config import Scenario
from glm_locust.delivery import Recorder, Shipper, Spool, enroll
from glm_locust.plugin.director import Director
from glm_locust.plugin.guard import Guard
from glm_locust.plugin.heartbeat import Heartbeat, process_cpu_s
from glm_locust.plugin.sampling import WorkerClocks
from glm_locust.transport.channel import LOCAL_WORKER, Channel
from glm_locust.transport.clock import ANCHOR_PERF_NS, ANCHOR_WALL_NS
from glm_locust.transport.messages import Ack, Drain, Refusal, unpack

_log = logging.getLogger("glm_locust")


class WorkerSide:
    """One per process that runs users; serves one run after the other."""

    def __init__(
        self, environment: Environment, channel: Channel, guard: Guard, director: Director | None
    ) -> None:
        self._environment = environment
        self._channel = channel
        self._guard = guard
        self._director = director
        self._recorder: Recorder | None = None
        self._shipper: Shipper | None = None
        self._clocks = WorkerClocks(channel)
        self._heartbeat: Heartbeat | None = None
        self._cpu_s = 0.0
        self._left = gevent.event.Event()
        self._leaving: gevent.Greenlet | None = None
        channel.on(Ack.KIND, guard(self._take_ack))
        channel.on(Drain.KIND, guard(self._take_drain))

    @property
    def worker_id(self) -> str:
        """As the master knows this process."""
        runner = self._environment.runner
        return runner.client_id if isinstance(runner, WorkerRunner) else LOCAL_WORKER

    def start(self, run_id: str, spool_dir: Path, scenario: Scenario) -> None:
        """A run begins; raises ConfigError where this worker cannot take part."""
        self._abandon()
        spool = Spool(spool_dir, self.worker_id)
        self._shipper = Shipper(self._channel, run_id, {**_facts(), "spool": str(spool.path.absolute())})
        self._recorder = Recorder(
            run_id, self.worker_id, spool, self._shipper, refuse=lambda text: self.refuse(run_id, text)
        )
        self._leaving = None
        self._left = gevent.event.Event()
        self._cpu_s = process_cpu_s()
        enroll(self._environment, self._recorder)
        if self._director is not None:
            self._director.begin(self._environment)
        self._clocks.start(run_id, scenario)
        self._heartbeat = Heartbeat(self._channel, self._recorder)
        # What exists now stays for the whole run: the collector need not visit it between tokens.
        gc.collect()
        gc.freeze()

    def refuse(self, run_id: str, text: str) -> None:
        """Tell the master why this worker cannot go on; the run then ends."""
        self._channel.send(Refusal.KIND, Refusal(run_id=run_id, text=text).pack())

    def drain(self, timeout_s: float) -> None:
        """End what is in flight, deliver everything, say good-bye; returns when that is done."""
        recorder = self._recorder
        if recorder is None:
            return
        if self._leaving is None:
            self._leaving = gevent.spawn(self._guard(self._leave), recorder, timeout_s)
        elif timeout_s <= 0:
            recorder.hurry()
        self._left.wait()

    def hurry(self) -> bool:
        """Cancel what a drain waits for; False where there is none."""
        if self._recorder is None or self._leaving is None or self._left.is_set():
            return False
        self._recorder.hurry()
        return True

    def _leave(self, recorder: Recorder, timeout_s: float) -> None:
        left, heartbeat = self._left, self._heartbeat
        try:
            if self._director is not None:
                self._guard(self._director.stop)(self._environment)
            recorder.drain(timeout_s)
            self._send_statistics()
            self._guard(self._clocks.finish)()
            if heartbeat is not None:
                heartbeat.stop()
            cpu = {"cpu_s": round(process_cpu_s() - self._cpu_s, 3)}
            if not recorder.leave(cpu):
                _log.warning("glm_locust: records not delivered to the master stay in the spool")
        finally:
            left.set()

    def _send_statistics(self) -> None:
        """Locust would send its last ones too late for its own table."""
        runner = self._environment.runner
        if isinstance(runner, WorkerRunner):
            try:
                runner._send_stats()
            except RPCError as error:
                _log.warning("glm_locust: Locust's last statistics were not sent: %s", error)

    def _abandon(self) -> None:
        """A new master began a new run while ours never ended: ours stays in its spool."""
        if self._recorder is not None and self._leaving is None and self._shipper is not None:
            self._shipper.close()
        if self._heartbeat is not None:
            self._heartbeat.stop()

    def _take_ack(self, _worker: str, data: dict[str, Any]) -> None:
        if self._shipper is not None:
            self._shipper.acknowledge(unpack(Ack, data))

    def _take_drain(self, _worker: str, data: dict[str, Any]) -> None:
        order = unpack(Drain, data)
        if self._recorder is not None and order.run_id == self._recorder.run_id:
            self.drain(order.timeout_s)


def _facts() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "clock": {"wall_ns": ANCHOR_WALL_NS, "perf_ns": ANCHOR_PERF_NS},
    }
