"""RunGauges: how a run is now, as Prometheus is told of it."""

from collections.abc import Iterable

from glm_locust.exposition.families import MOST_PATHS, MOST_WORKERS, Fold, LabelValues
from glm_locust.exposition.tally import Values
from glm_locust.records import RunHeader
from glm_locust.run import Run

_S_PER_NS = 1e-9


class RunGauges:
    """Gauges of one run; those of silent workers are absent."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._path = Fold(MOST_PATHS)
        self._worker = Fold(MOST_WORKERS)

    def values(self, now_ns: int) -> Values:
        """As they are at this instant of the master's clock."""
        run = self._run
        workers = [(self._worker(worker), fresh.pulse) for worker, fresh in run.pulses.fresh(now_ns).items()]
        in_flight: dict[LabelValues, float] = {}
        for (path, _task, _level), count in run.pulses.in_flight(now_ns).items():
            label = (self._path(path),)
            in_flight[label] = in_flight.get(label, 0) + count
        given_up = {worker for worker, account in run.workers.items() if account.lost is not None}
        lost = run.lost_workers if run.footer is not None else given_up | run.absent
        return {
            **run_values(run.header),
            "glm_workers_lost": {(): len(lost)},
            "glm_in_flight": in_flight,
            **_arrivals(run, now_ns),
            "glm_generator_lag_seconds": _largest(
                (worker, pulse.generator_lag_s) for worker, pulse in workers
            ),
            "glm_send_lag_seconds": _largest((worker, pulse.send_lag_s) for worker, pulse in workers),
            "glm_generator_cpu_ratio": _largest((worker, pulse.cpu_ratio) for worker, pulse in workers),
        }


def _arrivals(run: Run, now_ns: int) -> Values:
    counts, rate = run.arrivals, run.arrival_rate(now_ns)
    return {
        "glm_arrivals_total": {}
        if counts is None
        else {("started",): counts.started, ("dropped",): counts.dropped},
        "glm_arrival_rate": {} if rate is None else {(): rate},
    }


def run_values(header: RunHeader) -> Values:
    """What is true of the whole run."""
    told = (
        header.run_id,
        header.versions.get("glm-locust", ""),
        str(header.workload.get("design", "")),
        "" if header.seed is None else str(header.seed),
    )
    return {
        "glm_run_info": {told: 1},
        "glm_run_start_time_seconds": {(): header.started_ns * _S_PER_NS},
    }


def _largest(found: Iterable[tuple[str, float | None]]) -> dict[LabelValues, float]:
    """By worker; those that share the label `other` show the worst of them."""
    largest: dict[LabelValues, float] = {}
    for worker, value in found:
        if value is not None:
            largest[worker,] = max(value, largest.get((worker,), value))
    return largest
