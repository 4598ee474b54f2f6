"""A worker and a master in one process, with a channel between them that loses what a test says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from glm_locust.delivery import Recorder, Shipper, Spool
from glm_locust.records import Ended, Measurement, Outcome, RequestRecord, RunHeader
from glm_locust.run import Run
from glm_locust.transport.channel import Handler
from glm_locust.transport.messages import Ack, Batch, Drained, Hello, unpack
from glm_locust.workload.prompt import Prompt

WORKER = "w1"
RUN = "run-1"


class LossyChannel:
    """Both ends; `copies(n)` says how often the n-th message arrives: 0 loses it, 2 doubles it."""

    def __init__(self, copies: Callable[[int], int] = lambda n: 1) -> None:
        self._copies = copies
        self._handlers: dict[str, list[Handler]] = {}
        self.sent: list[str] = []
        self.broken = False

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        if self.broken:
            raise ConnectionError("no master")
        self.sent.append(kind)
        for _ in range(self._copies(len(self.sent) - 1)):
            for handler in self._handlers.get(kind, []):
                gevent.spawn(handler, WORKER, data)

    def on(self, kind: str, handler: Handler) -> None:
        self._handlers.setdefault(kind, []).append(handler)


class Seen:
    def __init__(self) -> None:
        self.records: list[RequestRecord] = []

    def accept(self, record: RequestRecord) -> None:
        self.records.append(record)

    @property
    def seqs(self) -> list[int]:
        return [record.seq for record in self.records]


class Rig:
    def __init__(
        self,
        directory: Path,
        channel: LossyChannel | None = None,
        *,
        run_id: str = RUN,
        grace_s: float = 5.0,
    ) -> None:
        self.channel = channel or LossyChannel()
        self.seen = Seen()
        self.run = Run(RunHeader(run_id=RUN, started_ns=1, command=()), directory / "run", [self.seen])
        self.channel.on(Hello.KIND, self._answer(Hello, self.run.join))
        self.channel.on(Batch.KIND, self._answer(Batch, self.run.admit))
        self.channel.on(Drained.KIND, self._answer(Drained, self.run.release))
        self.spool = Spool(directory / "spool", WORKER)
        self.shipper = Shipper(self.channel, run_id, {"host": "h"}, resend_s=0.05)
        self.channel.on(Ack.KIND, lambda worker, data: self.shipper.acknowledge(unpack(Ack, data)))
        self.recorder = Recorder(run_id, WORKER, self.spool, self.shipper, ship_grace_s=grace_s)

    def _answer(self, kind: Any, take: Callable[[str, Any], Ack | None]) -> Handler:
        def handle(worker: str, data: dict[str, Any]) -> None:
            ack = take(worker, unpack(kind, data))
            if ack is not None:
                self.channel.send(ack.KIND, ack.pack(), worker)

        return handle

    def begin(self, text: str = "?") -> Measurement:
        return self.recorder.begin(Prompt("ocr", text), "api")

    def ask(self, text: str = "?") -> RequestRecord:
        measurement = self.begin(text)
        measurement.submitted(measurement.scheduled_ns)
        measurement.signal(Ended(Outcome.OK), measurement.scheduled_ns + 1)
        return self.recorder.finish(measurement)
