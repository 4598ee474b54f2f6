"""Checks the targets of a comparison before any load is sent."""

import os
from dataclasses import dataclass, replace

from glm_locust.comparison.clients import Clients
from glm_locust.conductor.progress import PRESET_ENV
from glm_locust.config import ApiTarget, Scenario
from glm_locust.errors import ConfigError
from glm_locust.testbed.presets import MODEL as SIMULATED_MODEL
from glm_locust.users.questions import questions_of, trace_of
from glm_locust.users.streamlit_client import StreamlitClient


@dataclass(frozen=True, slots=True)
class Findings:
    """What was learned about the targets."""

    model: str | None
    """What the API will be asked for."""
    simulated: str | None
    """Preset of the testbed's model."""

    def applied_to(self, scenario: Scenario) -> Scenario:
        """The scenario with this on its targets; pages count as in front of the API's model."""
        api, web, web_jupyter = scenario.api, scenario.web, scenario.web_jupyter
        return replace(
            scenario,
            api=api and replace(api, model=self.model, simulated=self.simulated),
            web=web and replace(web, simulated=self.simulated),
            web_jupyter=web_jupyter and replace(web_jupyter, simulated=self.simulated),
        )


def check_plan(scenario: Scenario) -> None:
    """Make sure that there is something to ask and someone to ask; raises ConfigError."""
    if not scenario.targets:
        raise ConfigError("expected a target: --glm-api, --glm-web or --glm-web-jupyter, or a --glm-scenario")
    trace = trace_of(scenario)
    scenario.plan(questions_of(scenario).tasks, () if trace is None else trace.tasks)


def check_targets(scenario: Scenario) -> Findings:
    """Make sure that a question can be asked on each path; raises ConfigError naming the path."""
    clients = Clients(scenario)
    questions = questions_of(scenario)
    tasks = scenario.chosen_tasks(questions.tasks)
    images = max(len(questions.prompt(task, 0).images) for task in tasks)
    model = None
    for path, target in scenario.targets.items():
        client = clients.connect(path)
        try:
            if isinstance(client, StreamlitClient):
                client.check(images)
            else:
                client.check()
                assert isinstance(target, ApiTarget)
                model = clients.server(path, target).model()
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
        finally:
            client.close()
    return Findings(model, os.environ.get(PRESET_ENV, "unknown") if model == SIMULATED_MODEL else None)
