"""The heartbeat of a worker: once a second it tells the master how it is."""

import logging

import gevent
import psutil

from glm_locust.delivery import Recorder
from glm_locust.errors import one_line
from glm_locust.transport.channel import Channel

PERIOD_S = 1.0

_log = logging.getLogger("glm_locust")


class Heartbeat:
    """Beats from its making until `stop`."""

    def __init__(self, channel: Channel, recorder: Recorder) -> None:
        self._channel = channel
        self._recorder = recorder
        self._greenlet = gevent.spawn(self._work)

    def stop(self) -> None:
        """Say nothing more."""
        self._greenlet.kill(block=False)

    def _work(self) -> None:
        complained = False
        self._recorder.pulse(process_cpu_s())  # from here on CPU time is counted
        while True:
            gevent.sleep(PERIOD_S)
            pulse = self._recorder.pulse(process_cpu_s())
            try:
                self._channel.send(pulse.KIND, pulse.pack())
            except Exception as error:  # noqa: BLE001 - whatever the connection raises: the next one is newer
                if not complained:
                    complained = True
                    _log.warning(
                        "glm_locust: the master was not told how this worker is: %s", one_line(str(error))
                    )


def process_cpu_s() -> float:
    """CPU time that this process has used so far."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
