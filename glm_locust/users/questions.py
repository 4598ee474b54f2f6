"""What the users of one process ask in the present run, and where they find it."""

import functools
from collections.abc import Callable
from weakref import WeakKeyDictionary

from locust.env import Environment

from glm_locust.arrivals import Arrivals, Renewal, Replay, Timetable, instants_ns
from glm_locust.conductor import Desk
from glm_locust.config import Scenario
from glm_locust.datasets import DataSet
from glm_locust.traces import Trace
from glm_locust.workload.prompt import PromptSource


def questions_of(scenario: Scenario) -> PromptSource:
    """What the scenario asks; raises ConfigError for a data set that cannot be used."""
    if scenario.dataset is not None:
        return DataSet.load(scenario.dataset, scenario.seed)
    return scenario.workload()


def trace_of(scenario: Scenario) -> Trace | None:
    """The trace that the scenario replays, if any; raises ConfigError for one that cannot be used."""
    process = scenario.arrival_process
    return Trace.load(process) if isinstance(process, Replay) else None


def timetable_of(process: Arrivals, trace: Trace | None) -> Timetable:
    """When requests are due."""
    if isinstance(process, Replay):
        assert trace is not None
        return trace.timetable
    return instants_ns(process)


def target_rate(process: Arrivals, trace: Trace | None, start_ns: int) -> Callable[[int], float]:
    """How many requests per second are due at an instant, where arrivals begin at `start_ns`."""
    source = process if isinstance(process, Renewal) else trace
    assert source is not None
    return lambda now_ns: source.rate_at(max(0, now_ns - start_ns) * 1e-9)


class Assignment:
    """What the run wants of the users of one process."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.desk: Desk | None = None
        """Open loop: where users wait for what is due. None: they ask one question after the other."""

    @functools.cached_property
    def questions(self) -> PromptSource:
        """Loaded when first needed and then shared; raises ConfigError."""
        return questions_of(self.scenario)

    @functools.cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks to ask; raises ConfigError."""
        return self.scenario.chosen_tasks(self.questions.tasks)


_ASSIGNMENTS: "WeakKeyDictionary[Environment, Assignment]" = WeakKeyDictionary()


def assign(environment: Environment, scenario: Scenario) -> None:
    """The environment's users begin a run of this scenario."""
    _ASSIGNMENTS[environment] = Assignment(scenario)


def assignment_of(environment: Environment) -> Assignment:
    """What the environment's users are to do; by default anything, on no target of a scenario."""
    return _ASSIGNMENTS.setdefault(environment, Assignment(Scenario()))
