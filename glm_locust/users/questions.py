"""What the users of one process ask in the present run, and where they find it."""

import functools
from weakref import WeakKeyDictionary

from locust.env import Environment

from glm_locust.config import Scenario
from glm_locust.datasets import DataSet
from glm_locust.workload.prompt import PromptSource


def questions_of(scenario: Scenario) -> PromptSource:
    """What the scenario asks; raises ConfigError for a data set that cannot be used."""
    if scenario.dataset is not None:
        return DataSet.load(scenario.dataset, scenario.seed)
    return scenario.workload()


class Assignment:
    """What the run wants of the users of one process."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

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
