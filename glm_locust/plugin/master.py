"""The master's side: header at the start, records in between, the drain barrier, footer and report."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from glm_locust.config import Scenario
from glm_locust.delivery.recorder import CANCEL_GRACE_S, SHIP_GRACE_S
from glm_locust.errors import ConfigError, ExitCode, GlmLocustError, one_line
from glm_locust.plugin.dashboard import Dashboard
from glm_locust.plugin.director import Director
from glm_locust.plugin.guard import Guard, say
from glm_locust.plugin.options import DeliveryOptions
from glm_locust.plugin.sampling import Sampling
from glm_locust.plugin.verdicts import RunJudge, graver, write_report
from glm_locust.records import RunFooter, RunHeader
from glm_locust.run import Run, command_as_typed, command_line, machine, new_run_id, versions
from glm_locust.transport.channel import LOCAL_WORKER, Channel
from glm_locust.transport.clock import now_ns
from glm_locust.transport.messages import Batch, Drain, Drained, Hello, Pulse, Refusal, unpack

WATCH_S = 1.0
"""How often lost workers are looked for."""
DROPS_EVERY_S = 10.0
"""How often, at most, dropped requests are told of while the run is on."""
REPEAT_S = 2.0
"""How often workers that have not answered are told again to drain."""
RUN_TIME_TOLERANCE_S = 2.0
"""Locust's timer runs ahead by what happened between two turns of gevent's loop."""

_log = logging.getLogger("glm_locust")


class MasterSide:
    """One per process that leads runs; begins, drains and finishes one after the other."""

    def __init__(
        self,
        environment: Environment,
        channel: Channel,
        guard: Guard,
        director: Director | None,
        dashboard: Dashboard,
    ) -> None:
        self.run: Run | None = None
        """The present run, or the last one."""
        self._environment = environment
        self._channel = channel
        self._guard = guard
        self._director = director
        self._dashboard = dashboard
        self._delivery: DeliveryOptions | None = None
        self._code: ExitCode | None = None
        self._interrupted: Callable[[], bool] = lambda: False
        self._stage: _Stage | None = None
        self._sampling = Sampling(channel, guard)
        channel.on(Hello.KIND, guard(self._take_hello))
        channel.on(Batch.KIND, guard(self._take_batch))
        channel.on(Drained.KIND, guard(self._take_drained))
        channel.on(Refusal.KIND, guard(self._take_refusal))
        channel.on(Pulse.KIND, guard(self._take_pulse))

    @property
    def exit_code(self) -> ExitCode | None:
        """What the runs so far ask the process to exit with; None: leave it to Locust."""
        return ExitCode.CRASH if self._guard.failed else self._code

    def start(self, scenario: Scenario, delivery: DeliveryOptions, interrupted: Callable[[], bool]) -> str:
        """Begin a run and return its id; raises ConfigError or SinkError where it cannot begin.

        `interrupted` says at the end whether Ctrl-C came in the meantime.
        """
        started_ns = now_ns()
        header = RunHeader(
            run_id=new_run_id(started_ns),
            started_ns=started_ns,
            command=command_as_typed(command_line()),
            seed=scenario.seed,
            workload=scenario.to_workload_dict(),
            targets=scenario.to_targets_dict(),
            slo=scenario.slo,
            versions=versions(),
            machine=machine(),
        )
        run = self.run = Run(header, Path(scenario.out) / header.run_id)
        judge = RunJudge(scenario)
        run.add_sink(judge)
        self._dashboard.start(run, scenario)
        self._sampling.start(scenario, run)
        self._delivery = delivery
        self._interrupted = interrupted
        runner = self._environment.runner
        if isinstance(runner, MasterRunner):
            for client in runner.clients.ready + runner.clients.running + runner.clients.spawning:
                run.expect(client.id)
        else:
            run.expect(LOCAL_WORKER)
        self._stage = _Stage(judge, scenario)
        self._stage.watch = gevent.spawn(self._guard(self._watch), run, self._stage)
        if self._director is not None:
            self._stage.play = gevent.spawn(self._guard(self._play), self._director, run, self._stage)
        return run.run_id

    def end(self) -> None:
        """Have Locust stop the test: all that follows comes by its events."""
        runner = self._environment.runner
        options = self._environment.parsed_options
        if runner is not None:
            gevent.spawn(runner.quit if options is not None and options.headless else runner.stop)

    def drain(self) -> None:
        """Have all workers end and deliver; returns when they have or are given up."""
        run, stage = self.run, self._stage
        if run is None or stage is None or run.footer is not None:
            return
        if not stage.draining:
            stage.draining = True
            gevent.spawn(self._guard(self._drain), run, stage)
        stage.drained.wait()

    def hurry(self) -> bool:
        """Cut a drain short; False where there is none."""
        stage = self._stage
        if self.run is None or stage is None or not stage.draining or stage.drained.is_set():
            return False
        stage.hurried = True
        self._channel.send(Drain.KIND, Drain(run_id=self.run.run_id, timeout_s=0).pack())
        return True

    def finish(self) -> None:
        """Write footer and report; returns when they are written."""
        run, stage = self.run, self._stage
        if run is None or stage is None:
            return
        if not stage.finishing:
            stage.finishing = True
            gevent.spawn(self._guard(self._finish), run, stage)
        stage.finished.wait()

    def _play(self, director: Director, run: Run, stage: "_Stage") -> None:
        try:
            stage.completed = director.play(self._environment, run)
        except ConfigError as error:
            self._refuse(str(error), stage)
            return
        if stage.completed:
            self.end()

    def _watch(self, run: Run, stage: "_Stage") -> None:
        """Name lost workers once each time they go, and dropped requests as they become more."""
        told: set[str] = set()
        drops = _Drops()
        while not stage.finished.is_set():
            drops.watch(run)
            gone = {worker: why for worker in tuple(run.workers) if (why := self._gone(worker)) is not None}
            run.absent = frozenset(worker for worker in gone if not run.workers[worker].delivered)
            for worker in gone.keys() - told:
                account = run.workers[worker]
                if not account.delivered:
                    told.add(worker)
                    spool = account.facts.get("spool", "its spool")
                    _log.error(
                        "glm_locust: worker %s is lost (%s) with %d records delivered; the others are in %s",
                        worker,
                        gone[worker],
                        account.admitted,
                        spool,
                    )
            told &= gone.keys()
            gevent.sleep(WATCH_S)

    def _gone(self, worker: str) -> str | None:
        """Why nothing can come from this worker now."""
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return None
        client = runner.clients.get(worker)
        if client is None:
            return "it left"
        return "no heartbeat" if client.state == STATE_MISSING else None

    def _drain(self, run: Run, stage: "_Stage") -> None:
        assert self._delivery is not None
        timeout_s = self._delivery.drain_timeout_s
        try:
            if self._director is not None:
                self._guard(self._director.stop)(self._environment)
            _log.info("glm_locust: the run ends, waits for requests in flight up to %g s", timeout_s)
            deadline = time.monotonic() + timeout_s + CANCEL_GRACE_S + SHIP_GRACE_S
            while run.outstanding():
                left_s = timeout_s if not stage.hurried else 0.0
                for worker in run.outstanding():
                    self._channel.send(Drain.KIND, Drain(run_id=run.run_id, timeout_s=left_s).pack(), worker)
                again = time.monotonic() + REPEAT_S
                while run.outstanding() and time.monotonic() < again:
                    stage.moved.wait(0.2)
                    stage.moved.clear()
                    for worker in run.outstanding():
                        if (why := self._gone(worker)) is not None:
                            run.lose(worker, why)
                timeout_s = max(0.1, timeout_s - REPEAT_S)
                if time.monotonic() > deadline:
                    for worker in run.outstanding():
                        run.lose(worker, "it did not answer at the end")
        finally:
            stage.drained.set()

    def _finish(self, run: Run, stage: "_Stage") -> None:
        assert self._delivery is not None
        try:
            reason, partial = self._reason(stage)
            requests = self._environment.stats.total.num_requests
            self._guard(self._sampling.stop)()
            try:
                footer = run.close(
                    reason=reason,
                    ended_ns=now_ns(),
                    partial=partial,
                    locust_requests=requests,
                    notes=[f"worker {worker} left early" for worker in stage.left] if not partial else (),
                )
            except GlmLocustError as error:
                say(f"the footer of the run was not written: {error}")
                self._raise_code(ExitCode.INVALID)
                return
            self._judge(run, stage, footer, self._delivery)
            write_report(
                run.run_dir,
                stage.scenario.lang,
                junit=stage.scenario.junit,
                allow_lost_workers=self._delivery.allow_lost_workers,
            )
        finally:
            self._guard(self._dashboard.finish)()
            stage.finished.set()
            if run.workers and all(self._gone(worker) for worker in run.workers):
                self.end()  # Locust stops a run without workers, but goes on waiting
            gevent.killall([g for g in (stage.watch, stage.play) if g is not None], block=False)

    def _reason(self, stage: "_Stage") -> tuple[str, bool]:
        """How the run ended, and whether its plan was left unfinished."""
        options = self._environment.parsed_options
        run_time_s = getattr(options, "run_time", None)
        if stage.refusal is not None:
            return "refused", True
        if stage.completed:
            return "completed", False
        endless = self._director is None or self._director.endless
        planned = not endless or run_time_s is not None
        if self._interrupted():
            return "interrupted", planned
        elapsed_s = time.monotonic() - stage.started_s
        if run_time_s is not None and elapsed_s >= run_time_s - min(RUN_TIME_TOLERANCE_S, 0.4 * run_time_s):
            return "run_time", not endless
        return "stopped", planned

    def _judge(self, run: Run, stage: "_Stage", footer: RunFooter, delivery: DeliveryOptions) -> None:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in footer.counts.items())
        _log.info("glm_locust: run %s in %s: %s (%s)", run.run_id, run.run_dir, counts, footer.reason)
        if (arrivals := run.arrivals) is not None and arrivals.dropped:
            say(
                f"{arrivals.dropped} of {arrivals.started + arrivals.dropped} requests were due while every "
                "user waited for an answer, and were dropped: what the others measured is too good; allow "
                "more in flight (--glm-max-in-flight, --max-in-flight) or ask for a lower rate"
            )
        if run.failure is not None:
            self._raise_code(ExitCode.INVALID)
        elif run.lost_workers and not delivery.allow_lost_workers:
            names = ", ".join(run.lost_workers)
            say(f"records may be missing, lost workers: {names}; see `glm-locust recover {run.run_dir}`")
            self._raise_code(ExitCode.INVALID)
        if stage.refusal is not None:
            self._raise_code(ExitCode.USAGE)
        elif footer.reason == "interrupted" and (footer.partial or stage.judge.exit_code is None):
            self._raise_code(ExitCode.INTERRUPTED)
        if (code := stage.judge.exit_code) is not None:
            self._raise_code(code)

    def _raise_code(self, code: ExitCode) -> None:
        """The graver of this and the one so far."""
        self._code = graver(code, self._code)

    def _refuse(self, text: str, stage: "_Stage") -> None:
        if stage.refusal is None:
            stage.refusal = one_line(text)
            say(stage.refusal)
            self.end()

    def _take_hello(self, worker: str, data: dict[str, Any]) -> None:
        if self.run is not None and (ack := self.run.join(worker, unpack(Hello, data))) is not None:
            self._channel.send(ack.KIND, ack.pack(), worker)

    def _take_batch(self, worker: str, data: dict[str, Any]) -> None:
        run = self.run
        if run is None:
            return
        healthy = run.failure is None
        ack = run.admit(worker, unpack(Batch, data))
        if healthy and run.failure is not None:
            say(run.failure)
            self.end()
        self._progress()
        if ack is not None:
            self._channel.send(ack.KIND, ack.pack(), worker)

    def _take_pulse(self, worker: str, data: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.feel(worker, unpack(Pulse, data), now_ns())

    def _take_drained(self, worker: str, data: dict[str, Any]) -> None:
        if self.run is not None and (ack := self.run.release(worker, unpack(Drained, data))) is not None:
            if self._stage is not None and not self._stage.draining and worker not in self._stage.left:
                self._stage.left.append(worker)
            self._progress()
            self._channel.send(ack.KIND, ack.pack(), worker)

    def _take_refusal(self, worker: str, data: dict[str, Any]) -> None:
        refusal = unpack(Refusal, data)
        if self.run is not None and self._stage is not None and refusal.run_id == self.run.run_id:
            self.run.dismiss(worker)
            self._progress()
            prefix = "" if worker == LOCAL_WORKER else f"worker {worker}: "
            self._refuse(prefix + refusal.text, self._stage)

    def _progress(self) -> None:
        if self._stage is not None:
            self._stage.moved.set()


class _Drops:
    """Tells of an open loop's dropped requests while they become more, every few seconds."""

    def __init__(self) -> None:
        self._told = 0
        self._told_s = 0.0

    def watch(self, run: Run) -> None:
        dropped = 0 if run.arrivals is None else run.arrivals.dropped
        if dropped > self._told and time.monotonic() - self._told_s >= DROPS_EVERY_S:
            self._told, self._told_s = dropped, time.monotonic()
            _log.warning("glm_locust: %d requests dropped so far: nobody was free for them", dropped)


class _Stage:
    """How far the present run has come."""

    def __init__(self, judge: RunJudge, scenario: Scenario) -> None:
        self.judge = judge
        self.scenario = scenario
        self.started_s = time.monotonic()
        self.completed = False
        self.refusal: str | None = None
        self.left: list[str] = []
        """Workers that said good-bye before they were asked to."""
        self.draining = False
        self.hurried = False
        self.finishing = False
        self.moved = gevent.event.Event()
        self.drained = gevent.event.Event()
        self.finished = gevent.event.Event()
        self.watch: gevent.Greenlet | None = None
        self.play: gevent.Greenlet | None = None
