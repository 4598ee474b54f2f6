"""What a worker tells of itself once a second: requests in flight, its own lateness, its CPU share."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeGuard

from glm_locust.records import Measurement, RequestRecord
from glm_locust.transport.messages import ArrivalCounts, InFlight, Pulse


class PulseTaker:
    """Takes one pulse after the other; each tells of the time since the one before. It reads no clock."""

    def __init__(self, run_id: str, now_ns: int) -> None:
        self._run_id = run_id
        self._since_ns = now_ns
        self._cpu_s: float | None = None
        self._finished: list[RequestRecord] = []

    def finished(self, record: RequestRecord) -> None:
        """This request is in flight no more."""
        self._finished.append(record)

    def take(
        self,
        in_flight: Iterable[Measurement],
        now_ns: int,
        cpu_s: float,
        arrivals: ArrivalCounts | None = None,
    ) -> Pulse:
        """The pulse of now; `cpu_s` is the CPU time of the process so far."""
        since_ns = self._since_ns
        counts: Counter[tuple[str, str, int | None]] = Counter()
        send_lags_ns: list[int] = []
        generator_lags_us: list[int | None] = []
        for measurement in in_flight:
            counts[measurement.path, measurement.task, measurement.level] += 1
            if _lately(measurement.sent_ns, since_ns):
                send_lags_ns.append(measurement.sent_ns - measurement.scheduled_ns)
            if _lately(measurement.provisional_first_token_ns, since_ns):
                generator_lags_us.append(measurement.provisional_first_token_lag_us)
        for record in self._finished:
            if _lately(record.sent_ns, since_ns):
                send_lags_ns.append(record.sent_ns - record.scheduled_ns)
            if _lately(record.first_token_ns, since_ns):
                generator_lags_us.append(record.first_token_lag_us)
        known_us = [lag for lag in generator_lags_us if lag is not None]
        elapsed_s = (now_ns - since_ns) * 1e-9
        used_s = None if self._cpu_s is None else cpu_s - self._cpu_s
        self._since_ns, self._cpu_s, self._finished = now_ns, cpu_s, []
        return Pulse(
            run_id=self._run_id,
            in_flight=tuple(
                InFlight(path=path, task=task, level=level, count=count)
                for (path, task, level), count in counts.items()
            ),
            send_lag_s=max(send_lags_ns) * 1e-9 if send_lags_ns else None,
            generator_lag_s=max(known_us) * 1e-6 if known_us else None,
            cpu_ratio=None if used_s is None or elapsed_s <= 0 else max(0.0, used_s / elapsed_s),
            arrivals=arrivals,
        )


def _lately(at_ns: int | None, since_ns: int) -> TypeGuard[int]:
    return at_ns is not None and at_ns > since_ns
