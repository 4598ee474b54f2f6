"""The dashboard of a process that leads runs: feeds the read model, ticks it, mounts its pages."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import gevent
import psutil
from locust.env import Environment

from glm_locust.config import Scenario
from glm_locust.dashboard import Arrivals, Device, Gauges, LiveRun
from glm_locust.dashboard.pages import Pages, Shown, report_section
from glm_locust.plugin.guard import Guard
from glm_locust.records import RequestRecord
from glm_locust.run import Run
from glm_locust.samples.newest import NewestDevice, read_newest
from glm_locust.transport.clock import now_ns

TICK_S = 1.0


class Dashboard:
    """Serves one run after the other; where no page and no HTML report will show it, it does nothing."""

    def __init__(self, environment: Environment, guard: Guard, scenario: Scenario) -> None:
        self.live: LiveRun | None = None
        """The present run, or the last one."""
        self._guard = guard
        self._language: str = scenario.lang
        self._run: Run | None = None
        self._run_dir = Path()
        self._refusal: str | None = None
        self._ticking: gevent.Greenlet | None = None
        options = environment.parsed_options
        self._wanted = environment.web_ui is not None or bool(getattr(options, "html_file", None))
        if environment.web_ui is not None:

            def shown() -> Shown | None:
                return None if self.live is None else Shown(self.live, self._run_dir)

            samples = bool(scenario.exporter or scenario.metrics)
            pages = Pages(shown, lambda: self._language, lambda: self._refusal)
            pages.mount(environment.web_ui, samples=samples)

    def refuse(self, why: str) -> None:
        """A run was asked for and did not begin."""
        self.live = None
        self._refusal = why

    def start(self, run: Run, scenario: Scenario) -> None:
        """A run begins."""
        if not self._wanted:
            return
        live = self.live = LiveRun(run.run_id, run.header.started_ns, scenario.slo)
        self._language = scenario.lang
        self._refusal = None
        self._run_dir = run.run_dir
        self._run = run
        run.add_sink(_Feed(live))
        self._ticking = gevent.spawn(self._guard(self._tick), live, run)

    def finish(self) -> None:
        """All records are here, the footer is written."""
        if self._ticking is not None and self.live is not None:
            self._ticking.kill()
            now = now_ns()
            arrivals = None if self._run is None else _arrivals(self._run, now)
            self.live.tick(now, Gauges(in_flight={}, arrivals=arrivals))
            self.live.end()
            self._ticking = None

    def report_section(self) -> str:
        """Our part of Locust's HTML report; empty before the first run."""
        return "" if self.live is None else report_section(self.live, self._language)

    def _tick(self, live: LiveRun, run: Run) -> None:
        psutil.cpu_percent()  # from here on CPU time is counted, for this greenlet
        while True:
            gevent.sleep(TICK_S)
            live.tick(now_ns(), _gauges(run))


class _Feed:
    """A sink of the run."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live

    def accept(self, record: RequestRecord) -> None:
        """Take one record."""
        self._live.take(record, now_ns())


def _gauges(run: Run) -> Gauges:
    now = now_ns()
    workers = run.pulses.fresh(now).values()
    in_flight: Counter[tuple[str, str]] = Counter()
    for (path, task, _), count in run.pulses.in_flight(now).items():
        in_flight[path, task] += count
    return Gauges(
        in_flight=in_flight if workers else None,
        generator_lag_s=_largest(worker.pulse.generator_lag_s for worker in workers),
        send_lag_s=_largest(worker.pulse.send_lag_s for worker in workers),
        worker_cpu_ratio=_largest(worker.pulse.cpu_ratio for worker in workers),
        host_cpu_ratio=psutil.cpu_percent() / 100,
        arrivals=_arrivals(run, now),
        devices=_devices(read_newest(run.run_dir, now)),
    )


def _arrivals(run: Run, now: int) -> Arrivals | None:
    counts = run.arrivals
    return None if counts is None else Arrivals(counts.started, counts.dropped, run.arrival_rate(now))


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _devices(newest: Sequence[NewestDevice]) -> tuple[Device, ...]:
    """With the source's name where two sources have the same device."""
    names = Counter(device.name for device in newest)
    return tuple(
        Device(
            name=device.name if names[device.name] == 1 else f"{device.name} ({device.source})",
            readings=device.readings,
            model=device.model,
        )
        for device in newest
    )
