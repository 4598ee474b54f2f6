"""The recorder: begins and finishes the measurements of one worker in one run."""

import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import gevent
import gevent.event
import msgspec

from glm_locust.delivery.pulse import PulseTaker
from glm_locust.delivery.shipping import Shipper
from glm_locust.delivery.spool import Spool
from glm_locust.errors import ConfigError, LocalProtocolError
from glm_locust.records import Measurement, Phase, RequestRecord, encode_line
from glm_locust.sinks import SinkError
from glm_locust.transport.clock import now_ns
from glm_locust.transport.messages import ArrivalCounts, Pulse
from glm_locust.workload.prompt import Prompt

CANCEL_GRACE_S = 5.0
"""How long a cancelled request may take to notice."""
SHIP_GRACE_S = 10.0
"""How long the master may be silent at the end before a worker gives up; the spool stays then."""

_log = logging.getLogger(__name__)


class Recorder:
    """Counts requests in flight, seals the finished ones, spools them, and has them shipped."""

    def __init__(
        self,
        run_id: str,
        worker_id: str,
        spool: Spool,
        shipper: Shipper,
        *,
        refuse: Callable[[str], None] = _log.error,
        ship_grace_s: float = SHIP_GRACE_S,
    ) -> None:
        """`refuse` is told in one line why this worker cannot go on; the run then ends."""
        self.refuse = refuse
        self.run_id = run_id
        self.worker_id = worker_id
        self._spool = spool
        self._shipper = shipper
        self._ship_grace_s = ship_grace_s
        self._seq = 0
        self._in_flight: dict[Measurement, Any] = {}
        """With the greenlet that asks."""
        self._pulse = PulseTaker(run_id, now_ns())
        self._started = 0
        self._dropped = 0
        self._closing = False
        self._idle = gevent.event.Event()
        self._idle.set()
        self._hurry = gevent.event.Event()
        self._drained = gevent.event.Event()
        self._draining: gevent.Greenlet | None = None
        self._spool_error: str | None = None

    @property
    def in_flight(self) -> int:
        """Requests begun and not finished."""
        return len(self._in_flight)

    @property
    def closing(self) -> bool:
        """The run ends: begin nothing new."""
        return self._closing

    @property
    def last_seq(self) -> int:
        """Records made so far."""
        return self._seq

    def pulse(self, cpu_s: float) -> Pulse:
        """How this worker has been since the last call; `cpu_s` is the CPU time of its process so far."""
        return self._pulse.take(self._in_flight, now_ns(), cpu_s, self.arrivals)

    @property
    def arrivals(self) -> ArrivalCounts | None:
        """Open loop: what became of the arrivals so far; None where none has come."""
        if not self._started and not self._dropped:
            return None
        return ArrivalCounts(started=self._started, dropped=self._dropped)

    def arrival_dropped(self) -> None:
        """Open loop: a request was due and nobody was free to make it."""
        self._dropped += 1

    def begin(
        self,
        prompt: Prompt,
        path: str,
        *,
        scheduled_ns: int | None = None,
        phase: Phase | None = None,
        block: int | None = None,
        level: int | None = None,
    ) -> Measurement:
        """Begin one request of the calling greenlet, due at `scheduled_ns`; None means: wanted now.

        Raises LocalProtocolError where `closing` was not looked at.
        """
        if self._closing:
            raise LocalProtocolError("a request was begun after the end of the run")
        measurement = Measurement(
            path=path,
            task=prompt.task,
            phase=phase or Phase.MEASURE,
            prompt_id=prompt.prompt_id,
            scheduled_ns=now_ns() if scheduled_ns is None else scheduled_ns,
            images=len(prompt.images),
            image_pixels=prompt.image_pixels,
            image_bytes=prompt.image_bytes,
            block=block,
            level=level,
            in_flight_at_send=len(self._in_flight) + 1,
        )
        self._started += scheduled_ns is not None
        self._in_flight[measurement] = gevent.getcurrent()
        self._idle.clear()
        return measurement

    def finish(self, measurement: Measurement) -> RequestRecord:
        """Seal, spool and queue; never yields to another greenlet.

        A measurement without an end becomes a cancelled request. Raises GreenletExit for one that
        the end of the run has given up already: its greenlet is to end too.
        """
        if self._in_flight.pop(measurement, None) is None:
            raise gevent.GreenletExit
        measurement.cancel(now_ns())
        record = measurement.seal(run_id=self.run_id, worker_id=self.worker_id, seq=self._seq + 1)
        self._seq += 1
        self._pulse.finished(record)
        try:
            line = self._spool.append(record)
        except SinkError as error:
            line = encode_line(record)
            self._complain(str(error))
        self._shipper.offer(line)
        if not self._in_flight:
            self._idle.set()
        return record

    def drain(self, timeout_s: float) -> bool:
        """End the requests in flight, cancel those that take longer than `timeout_s`, deliver all.

        Returns True once the master has every record; False where it stayed silent. Several callers
        wait for the same end, the shortest time counts. Follow it with `leave`.
        """
        self._closing = True
        if timeout_s <= 0:
            self._hurry.set()
        else:
            gevent.spawn_later(timeout_s, self._hurry.set)
        if self._draining is None:
            self._draining = gevent.spawn(self._drain)
        self._drained.wait()
        return not self._shipper.offered - self._shipper.acknowledged

    def hurry(self) -> None:
        """Cancel what is in flight, now that a drain waits for it."""
        self._hurry.set()

    def leave(self, facts: dict[str, Any]) -> bool:
        """Tell the master that nothing follows and close; True where it confirmed to have everything."""
        if self._spool_error is not None:
            facts = {**facts, "spool_error": self._spool_error}
        if (arrivals := self.arrivals) is not None:
            facts = {**facts, "arrivals": msgspec.to_builtins(arrivals)}
        # A master that was silent for a whole flush is not waited for once more.
        silent = self._shipper.acknowledged < self._seq
        confirmed = self._shipper.farewell(facts, 0.0 if silent else self._ship_grace_s)
        delivered = confirmed and self._shipper.acknowledged == self._seq
        self._shipper.close()
        self._spool.close(delivered=delivered)
        return delivered

    def _drain(self) -> None:
        try:
            gevent.wait([self._idle, self._hurry], count=1)
            for user in list(self._in_flight.values()):
                gevent.kill(user)
            if not self._idle.wait(CANCEL_GRACE_S):
                for measurement in list(self._in_flight):
                    self.finish(measurement)
            self._shipper.flush(self._ship_grace_s)
        finally:
            self._drained.set()

    def _complain(self, error: str) -> None:
        if self._spool_error is None:
            self._spool_error = error
            _log.error("glm_locust: %s; records go to the master only", error)


_RECORDERS: "WeakKeyDictionary[object, Recorder]" = WeakKeyDictionary()


def enroll(environment: object, recorder: Recorder) -> None:
    """Make this the recorder of the Locust environment's present run."""
    _RECORDERS[environment] = recorder


def recorder_of(environment: object) -> Recorder:
    """The recorder of the environment's present run; raises ConfigError where there is none."""
    try:
        return _RECORDERS[environment]
    except KeyError:
        raise ConfigError(
            "glm_locust is not installed in this locustfile, or no run has begun: "
            "call glm_locust.plugin.install() at its top"
        ) from None
