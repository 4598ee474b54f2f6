"""OpenLoop: leads the users of any locustfile of ours through the arrivals of `--glm-arrivals`."""

import logging
from collections.abc import Callable

from locust.env import Environment
from locust.runners import WorkerRunner

from glm_locust.conductor import Conductor, Desk
from glm_locust.config import Scenario
from glm_locust.delivery import recorder_of
from glm_locust.errors import ConfigError
from glm_locust.plan import Block, Ticket
from glm_locust.plugin.lossy import Lossy
from glm_locust.records import Phase
from glm_locust.run import Run
from glm_locust.traces import Trace
from glm_locust.transport.channel import Channel
from glm_locust.transport.clock import now_ns
from glm_locust.users.questions import assignment_of, target_rate, timetable_of, trace_of
from glm_locust.workload.prompt import Prompt

SPAWN_RATE = 100
"""Users per second: they only come to wait, so nothing is to be gained by a slow start."""

_log = logging.getLogger("glm_locust")


class OpenLoop:
    """A Director. On a worker it is always there, and does nothing for a scenario without arrivals."""

    def __init__(self, channel: Channel, scenario: Scenario | None) -> None:
        """`scenario` is given on the master, where it has arrivals."""
        self._channel = Lossy(channel)
        self._scenario = scenario
        self._conductor: Conductor | None = None
        self._desk: Desk | None = None
        self._trace: Trace | None = None
        self._endless = True
        self._begun: Callable[[], None] | None = None
        """To be called when the arrivals of the present run begin."""

    @property
    def endless(self) -> bool:
        """All arrivals but those of a trace."""
        return self._endless

    def attach(self, environment: Environment) -> None:
        """On the master: a conductor, and as many users as may be in flight."""
        if isinstance(environment.runner, WorkerRunner) or self._scenario is None:
            return
        self._conductor = Conductor(self._channel, self._announce)
        trace_of(self._scenario)  # a trace that cannot be used is told of before any load
        options = environment.parsed_options
        assert options is not None
        wanted, told = self._scenario.max_in_flight, options.num_users
        if wanted is not None and told is not None and wanted != told:
            raise ConfigError(f"--glm-max-in-flight: {wanted} is the number of users, and -u says {told}")
        if told is None:
            options.num_users = self._scenario.users
        if options.spawn_rate is None:
            options.spawn_rate = SPAWN_RATE

    def refine(self, environment: Environment, scenario: Scenario) -> Scenario:  # noqa: ARG002 - the protocol's
        """As it is."""
        self._scenario = scenario
        return scenario

    def begin(self, environment: Environment) -> None:
        """On a worker: open the desk for what will be due."""
        assignment = assignment_of(environment)
        process = assignment.scenario.arrival_process
        if process is None:
            return
        # A line for each request would be written while requests are due.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._trace = trace_of(assignment.scenario)
        recorder = recorder_of(environment)
        if self._desk is None:
            self._desk = Desk(self._channel, self._asked)
        self._desk.open(timetable_of(process, self._trace), recorder.arrival_dropped)
        assignment.desk = self._desk

    def play(self, environment: Environment, run: Run) -> bool:
        """On the master: until the arrivals end, which only those of a trace do."""
        assert self._conductor is not None
        assert environment.runner is not None
        scenario = self._scenario
        assert scenario is not None
        process = scenario.arrival_process
        assert process is not None
        trace = trace_of(scenario)
        self._endless = trace is None
        users = environment.runner.target_user_count
        block = Block(0, Phase.MEASURE, users, (), (), draw=str(run.header.seed))
        _log.info("glm_locust: open loop, %s, at most %d requests in flight", scenario.arrivals, users)
        timetable = timetable_of(process, trace)

        def begin() -> None:
            run.target_rate = target_rate(process, trace, now_ns())

        self._begun = begin
        course = self._conductor.play(run.run_id, [block], users, timetable=timetable)
        run.notes.extend(course.notes)
        return course.finished

    def stop(self, environment: Environment) -> None:  # noqa: ARG002 - the protocol's signature
        """Nothing is due any more."""
        if self._conductor is not None:
            self._conductor.stop()
        if self._desk is not None:
            self._desk.close()

    def _announce(self, _: Block) -> None:
        if self._begun is not None:
            self._begun()

    def _asked(self, ticket: Ticket) -> Prompt | None:
        return None if self._trace is None else self._trace.asked(ticket.index)
