"""Comparison: leads the users of a Locust run through the plan of a scenario."""

import logging
import os
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import replace

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from glm_locust.comparison.clients import Clients, open_client
from glm_locust.comparison.preflight import Findings, check_plan, check_targets
from glm_locust.conductor import Conductor, Desk
from glm_locust.conductor.progress import PROGRESS_FD, TRUTH_FILE, TRUTH_LOG, ProgressPipe
from glm_locust.config import Scenario
from glm_locust.errors import ConfigError
from glm_locust.plan import Block, Ticket
from glm_locust.plugin import Lossy, channel_of, recorder_of, scenario_of
from glm_locust.run import Run
from glm_locust.traces import Trace
from glm_locust.transport.clock import now_ns
from glm_locust.users.comparison import Workplace, furnish
from glm_locust.users.questions import assignment_of, questions_of, target_rate, timetable_of, trace_of
from glm_locust.workload.prompt import Prompt, PromptSource

SPAWN_RATE = 100
"""Users per second: they only come to the desk, so nothing is to be gained by a slow start."""

_log = logging.getLogger("glm_locust")


class Comparison:
    """A Director: the conductor on the master, the desk on a worker, both in a local run."""

    def __init__(self) -> None:
        self._conductor: Conductor | None = None
        self._desk: Desk | None = None
        self._questions: PromptSource | None = None
        self._trace: Trace | None = None
        self._findings: Findings | None = None
        self._pipe: ProgressPipe | None = None
        self._begun: Callable[[Block], None] | None = None
        self._endless = False

    @property
    def endless(self) -> bool:
        """Whether the present plan goes on until the time is over."""
        return self._endless

    def attach(self, environment: Environment) -> None:
        """Take the ends of the channel that this process needs, on the master check everything.

        Raises ConfigError there, unless the dashboard may start the run when the fault is mended.
        """
        # A line for each request would be written while requests are timed.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        runner = environment.runner
        channel = Lossy(channel_of(environment))
        if not isinstance(runner, MasterRunner):
            self._desk = Desk(channel, self._prompt)
        if isinstance(runner, WorkerRunner):
            return
        self._conductor = Conductor(channel, self._announce)
        scenario = scenario_of(environment)
        check_plan(scenario)
        options = environment.parsed_options
        assert options is not None
        fill_in_users(options, scenario)
        try:
            self._findings = check_targets(scenario)
        except ConfigError as error:
            if options.headless or options.autostart:
                raise
            _log.warning("glm_locust: %s", error)

    def refine(self, environment: Environment, scenario: Scenario) -> Scenario:
        """On the master: the scenario of the run that begins, with the users that Locust starts."""
        assert environment.runner is not None
        scenario = replace(scenario, tasks=scenario.chosen_tasks(questions_of(scenario).tasks))
        users = max(1, environment.runner.target_user_count)
        if scenario.arrivals is not None:
            scenario = replace(scenario, max_in_flight=scenario.max_in_flight or users)
        elif not given(environment, "levels"):
            scenario = replace(scenario, levels=(users,))
        return scenario if self._findings is None else self._findings.applied_to(scenario)

    def begin(self, environment: Environment) -> None:
        """On a worker: open the desk with the questions of this run."""
        assert self._desk is not None
        assignment = assignment_of(environment)
        self._questions = assignment.questions
        scenario = assignment.scenario
        self._trace = trace_of(scenario)
        process = scenario.arrival_process
        timetable = None if process is None else timetable_of(process, self._trace)
        self._desk.open(timetable, recorder_of(environment).arrival_dropped)
        clients = Clients(scenario)
        furnish(environment, Workplace(self._desk, clients.connect, open_client, scenario.think_time))

    def play(self, environment: Environment, run: Run) -> bool:
        """On the master: lead all workers through the plan."""
        assert self._conductor is not None
        scenario = scenario_of(environment)
        if self._findings is None:
            self._findings = check_targets(scenario)
        users = scenario.users
        assert environment.runner is not None
        if (started := environment.runner.target_user_count) < users:
            key = "levels" if scenario.arrivals is None else "max_in_flight"
            raise ConfigError(f"{key}: {users} users are needed, and Locust starts {started}")
        _keep_truth(run)
        tasks = questions_of(scenario).tasks
        trace = trace_of(scenario)
        rows = () if trace is None else rows_of(trace, scenario.chosen_tasks(tasks))
        process = scenario.arrival_process
        timetable = None if process is None else timetable_of(process, trace)
        blocks: Iterable[Block]
        self._endless = is_endless(environment)
        if self._endless:
            blocks, total = scenario.endless_plan(tasks, rows), None
        else:
            blocks = plan = scenario.plan(tasks, rows)
            total = sum(len(block.tickets) for block in plan)
        self._pipe = _progress_pipe(run, total)

        def begin(block: Block) -> None:
            open_loop = process is not None and block.draw is not None
            run.target_rate = target_rate(process, trace, now_ns()) if process and open_loop else None

        self._begun = begin
        course = self._conductor.play(run.run_id, blocks, users, timetable=timetable)
        run.notes.extend(course.notes)
        if course.deserted:
            raise ConfigError("no user is there to ask: see the logs of the workers")
        return course.finished

    def stop(self, environment: Environment) -> None:  # noqa: ARG002 - the protocol's signature
        """Hand out nothing more."""
        if self._conductor is not None:
            self._conductor.stop()
        if self._desk is not None:
            self._desk.close()

    def _prompt(self, ticket: Ticket) -> Prompt:
        assert self._questions is not None
        if self._trace is not None and ticket.level is None:
            prompt = self._trace.asked(ticket.repeat, ticket.index)
            if prompt is not None:
                return prompt
        return self._questions.prompt(ticket.task, ticket.index, ticket.repeat)

    def _announce(self, block: Block) -> None:
        tasks = ", ".join(dict.fromkeys(ticket.task for ticket in block.tickets))
        _log.info(
            "glm_locust: block %d, %s: %d requests (%s) on %s by %d users"
            + ("" if block.draw is None else ", when they are due"),
            block.index,
            block.phase,
            len(block.tickets),
            tasks,
            ", ".join(block.paths),
            block.level,
        )
        if self._pipe is not None:
            self._pipe.block(block)
        if self._begun is not None:
            self._begun(block)


def rows_of(trace: Trace, tasks: tuple[str, ...]) -> tuple[str, ...]:
    """The task of each of a trace's requests; those without one take turns in the run's own."""
    return tuple(trace.task(row) or tasks[row % len(tasks)] for row in range(len(trace.rows)))


def given(environment: Environment, key: str) -> bool:
    """Whether the user chose the value, on the command line or by a scenario file."""
    options = environment.parsed_options
    return getattr(options, f"glm_{key}", None) is not None or bool(getattr(options, "glm_scenario", None))


def is_endless(environment: Environment) -> bool:
    """A run that only its time limits: one is given, and how often to ask is not."""
    return bool(getattr(environment.parsed_options, "run_time", None)) and not given(environment, "repeats")


def fill_in_users(options: Namespace, scenario: Scenario) -> None:
    """Have Locust start as many users as the plan needs, where it was not told how many."""
    told = options.glm_levels is not None or options.glm_scenario or scenario.arrivals is not None
    if options.num_users is None and told:
        options.num_users = scenario.users
    if options.spawn_rate is None:
        options.spawn_rate = SPAWN_RATE


def _keep_truth(run: Run) -> None:
    """Make a testbed's truth log part of the run; it goes on being written."""
    log = os.environ.get(TRUTH_LOG)
    if log is not None:
        try:
            (run.run_dir / TRUTH_FILE).hardlink_to(log)
        except OSError as error:
            run.notes.append(f"the testbed's truth log is not part of the run: {error.strerror}")


def _progress_pipe(run: Run, total: int | None) -> ProgressPipe | None:
    fd = os.environ.get(PROGRESS_FD)
    if fd is None:
        return None

    def dropped() -> int:
        return 0 if run.arrivals is None else run.arrivals.dropped

    pipe = ProgressPipe(int(fd), str(run.run_dir), total, dropped)
    run.add_sink(pipe)
    return pipe
