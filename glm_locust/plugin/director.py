"""What may be added to a run: a plan of its own, on all processes of the run."""

from typing import Protocol

from locust.env import Environment

from glm_locust.config import Scenario
from glm_locust.run import Run


class Director(Protocol):
    """Leads the users of a run through a plan. One object serves all runs of a process.

    On the master: `attach`, then per run `refine`, `play` and `stop`. On a worker: `attach`, then per run
    `begin` and `stop`. In a local run the one process gets all of them.
    """

    @property
    def endless(self) -> bool:
        """On the master: the present plan has no end of its own, time ends the run."""

    def attach(self, environment: Environment) -> None:
        """The process is up and `channel_of` works; raises ConfigError to refuse."""

    def refine(self, environment: Environment, scenario: Scenario) -> Scenario:
        """On the master, before a run begins: the scenario as it will be played and recorded."""

    def begin(self, environment: Environment) -> None:
        """On a worker: a run begins, `recorder_of` and `scenario_of` work, no user has started."""

    def play(self, environment: Environment, run: Run) -> bool:
        """On the master, in a greenlet of its own: True when the plan is finished, and the run ends.

        May raise ConfigError; after `stop` it returns False soon.
        """

    def stop(self, environment: Environment) -> None:
        """Everywhere: the run ends, begin nothing new. What is in flight goes on."""
