"""The only subscriber to Locust's events."""

import atexit
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import locust
import locust.log
import msgspec
from locust.env import Environment
from locust.event import Events
from locust.runners import MasterRunner, WorkerRunner

from glm_locust.config import Scenario
from glm_locust.errors import ConfigError, ExitCode, GlmLocustError
from glm_locust.plugin import html_report
from glm_locust.plugin.dashboard import Dashboard
from glm_locust.plugin.director import Director
from glm_locust.plugin.guard import Guard, exit_for_usage, say
from glm_locust.plugin.interrupts import Interrupts
from glm_locust.plugin.master import MasterSide
from glm_locust.plugin.open_loop import OpenLoop
from glm_locust.plugin.options import (
    DeliveryOptions,
    add_options,
    default_options,
    read_delivery,
    read_scenario,
)
from glm_locust.plugin.prometheus import Exposition, expose
from glm_locust.plugin.worker import WorkerSide
from glm_locust.run import Run
from glm_locust.samples.sources import check as check_sources
from glm_locust.samples.sources import sources_of
from glm_locust.sinks import SPOOL_DIRECTORY, check_directory, check_file
from glm_locust.transport.channel import Channel, Loopback, RunnerChannel
from glm_locust.users.questions import assign

ORDER_OPTION = "glm_order"
"""Travels with the options that Locust sends to its workers, ahead of the first user."""


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told of a run before its first user starts."""

    run_id: str
    scenario: dict[str, Any]


class Attachment:
    """What the plugin keeps for one Locust environment."""

    def __init__(self, environment: Environment, director: Director | None) -> None:
        """Raises ConfigError for what the user gave."""
        self.environment = environment
        self.guard = Guard()
        self._director = director
        runner = environment.runner
        self.channel: Channel
        if isinstance(runner, MasterRunner | WorkerRunner):
            self.channel = RunnerChannel(runner)
        else:
            self.channel = Loopback()
        if environment.parsed_options is None:
            environment.parsed_options = default_options()
        self._options = environment.parsed_options
        self._open_loop: OpenLoop | None = None
        self._own_spool_dir = getattr(self._options, "glm_spool_dir", None)
        self.scenario: Scenario | None = None
        self.dashboard: Dashboard | None = None
        self.master: MasterSide | None = None
        self.worker: WorkerSide | None = None
        self._exposition: Exposition | None = None
        if not isinstance(runner, WorkerRunner):
            self.scenario = read_scenario(self._options)
            read_delivery(self._options)
            check_directory(Path(self.scenario.out))
            if self.scenario.junit is not None:
                check_file(Path(self.scenario.junit), "junit")
            if sources := sources_of(self.scenario):
                check_sources(sources)
            if director is None and self.scenario.arrivals is not None:
                director = self._director = self._open_loop = OpenLoop(self.channel, self.scenario)
            self.dashboard = Dashboard(environment, self.guard, self.scenario)
            self.master = MasterSide(environment, self.channel, self.guard, director, self.dashboard)
            self._exposition = expose(environment, self.scenario)
        if isinstance(runner, WorkerRunner) and director is None:
            # What kind of run it will be, a worker is told when it begins.
            director = self._open_loop = OpenLoop(self.channel, None)
        if not isinstance(runner, MasterRunner):
            self.worker = WorkerSide(environment, self.channel, self.guard, director)
        self.interrupts = Interrupts(self._hurry)

    def attach(self) -> None:
        """The process can be found by its environment; raises ConfigError to refuse."""
        if self._open_loop is not None:
            self._open_loop.attach(self.environment)

    @property
    def delivery(self) -> DeliveryOptions:
        """As they are now: a worker gets its options from the master when a run begins."""
        return read_delivery(self._options)

    def start(self) -> None:
        """A run begins."""
        if self.master is not None:
            try:
                self.scenario = read_scenario(self._options)  # each run draws a seed of its own
                if self._director is not None:
                    self.scenario = self._director.refine(self.environment, self.scenario)
                run_id = self.master.start(self.scenario, self.delivery, self.interrupts.since_now())
            except GlmLocustError as error:
                say(str(error))
                if self.dashboard is not None:
                    self.dashboard.refuse(str(error))
                self.environment.process_exit_code = ExitCode.USAGE
                self.master.end()
                return
            if self._exposition is not None and self.master.run is not None:
                self._exposition.begin(self.master.run)
            order = _Order(run_id=run_id, scenario=self.scenario.to_message())
            setattr(self._options, ORDER_OPTION, msgspec.to_builtins(order))
        if self.worker is not None:
            self._start_worker(self.worker)

    def _start_worker(self, worker: WorkerSide) -> None:
        told = getattr(self._options, ORDER_OPTION, None)
        if told is None:
            raise ConfigError("the locustfile of the master does not call glm_locust.plugin.install()")
        order = msgspec.convert(told, _Order)
        try:
            scenario = self.scenario = Scenario.from_message(order.scenario)
            chosen = self._own_spool_dir or self.delivery.spool_dir
            run_dir = Path(scenario.out) / order.run_id
            spool_dir = Path(chosen) / order.run_id if chosen else run_dir / SPOOL_DIRECTORY
            assign(self.environment, scenario)
            worker.start(order.run_id, spool_dir, scenario)
        except ConfigError as error:
            worker.refuse(order.run_id, str(error))

    def quit(self) -> None:
        """The process is about to exit: end a run that is still on, and set the exit code."""
        if self.master is None:
            return
        run = self.master.run
        if run is not None and run.footer is None and self.environment.runner is not None:
            self.environment.runner.quit()  # a local runner is stopped by nobody before its exit code is read
        self.master.drain()
        self.master.finish()
        code = self.master.exit_code
        if locust.log.unhandled_greenlet_exception:
            code = ExitCode.CRASH
        if code is not None:
            self.environment.process_exit_code = code

    def _hurry(self) -> bool:
        hurried = [side.hurry() for side in (self.master, self.worker) if side is not None]
        return any(hurried)


class Plugin:
    """The listeners of one set of Locust events."""

    def __init__(self, events: Events) -> None:
        self.director: Director | None = None
        events.init_command_line_parser.add_listener(self.on_command_line)
        events.init.add_listener(self.on_init)
        events.test_start.add_listener(self.on_test_start)
        events.test_stopping.add_listener(self.on_test_stopping)
        events.test_stop.add_listener(self.on_test_stop)
        # Locust fires `quitting` backwards: added before any runner exists, this one comes after
        # the runner's own, and the exit code is read right after it.
        events.quitting.add_listener(self.on_quitting)

    def on_command_line(self, parser: ArgumentParser, **_: Any) -> None:
        """Our options; Locust asks for them many times."""
        add_options(parser)

    def on_init(self, environment: Environment, **_: Any) -> None:
        """The process has its role; a ConfigError ends it here, before any load."""
        try:
            attachment = _ATTACHMENTS[environment] = Attachment(environment, self.director)
            attachment.attach()
            if self.director is not None:
                self.director.attach(environment)
        except ConfigError as error:
            exit_for_usage(str(error))
        html_report.extend(_report_section)
        if attachment.worker is not None and attachment.master is None:
            # Added after the runner's own: this one comes before it, while the master still listens.
            environment.events.quitting.add_listener(attachment.guard(self._drain_worker))
        if environment.runner is None:  # run_single_user: nobody tells us of the end
            atexit.register(attachment.guard(attachment.quit))

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        """A run begins, on the master before any worker hears of it."""
        attachment = _ATTACHMENTS[environment]
        attachment.guard(attachment.start)()

    def on_test_stopping(self, environment: Environment, **_: Any) -> None:
        """The drain barrier: on the master this is before workers are told to stop."""
        attachment = _ATTACHMENTS[environment]
        if attachment.master is not None:
            attachment.guard(attachment.master.drain)()
        elif attachment.worker is not None:
            attachment.guard(attachment.worker.drain)(attachment.delivery.drain_timeout_s)

    def on_test_stop(self, environment: Environment, **_: Any) -> None:
        """All records are here: footer and report."""
        attachment = _ATTACHMENTS[environment]
        if attachment.master is not None:
            attachment.guard(attachment.master.finish)()

    def on_quitting(self, environment: Environment, **_: Any) -> None:
        """May come twice, also at the same time, when a signal ends the process."""
        attachment = _ATTACHMENTS.get(environment)
        if attachment is not None:
            attachment.guard(attachment.quit)()
            if attachment.guard.failed:
                environment.process_exit_code = ExitCode.CRASH

    def _drain_worker(self, environment: Environment, **_: Any) -> None:
        attachment = _ATTACHMENTS[environment]
        if attachment.worker is not None:
            attachment.worker.drain(attachment.delivery.drain_timeout_s)


_PLUGINS: "WeakKeyDictionary[Events, Plugin]" = WeakKeyDictionary()
_ATTACHMENTS: "WeakKeyDictionary[Environment, Attachment]" = WeakKeyDictionary()


def install(events: Events = locust.events, *, director: Director | None = None) -> None:
    """Subscribe to Locust's events; calling it again changes nothing but adds a missing director.

    Raises ConfigError for a second, different director.
    """
    plugin = _PLUGINS.get(events)
    if plugin is None:
        plugin = _PLUGINS[events] = Plugin(events)
    if director is not None:
        if plugin.director not in (None, director):
            raise ConfigError("two locustfiles want to direct one run: pass only one of them to -f")
        plugin.director = director


def channel_of(environment: Environment) -> Channel:
    """The process's end of the conversation between master and workers; from `Director.attach` on."""
    return _attachment(environment).channel


def run_of(environment: Environment) -> Run:
    """On the master: the present run, or the last one; raises ConfigError before the first."""
    master = _attachment(environment).master
    if master is None or master.run is None:
        raise ConfigError("there is no run on this process yet")
    return master.run


def scenario_of(environment: Environment) -> Scenario:
    """What the run is to do: on the master at any time, on a worker from `Director.begin` on."""
    scenario = _attachment(environment).scenario
    if scenario is None:
        raise ConfigError("there is no run on this process yet")
    return scenario


def _report_section(environment: Environment) -> str:
    attachment = _ATTACHMENTS.get(environment)
    dashboard = None if attachment is None else attachment.dashboard
    return "" if dashboard is None else dashboard.report_section()


def _attachment(environment: Environment) -> Attachment:
    try:
        return _ATTACHMENTS[environment]
    except KeyError:
        raise ConfigError("call glm_locust.plugin.install() at the top of the locustfile") from None
