"""What a run is to do, read from TOML and command lines into frozen dataclasses."""

from glm_locust.config.options import OPTIONS, Option
from glm_locust.config.scenario import Scenario, load_scenario
from glm_locust.config.targets import ApiTarget, Deadlines, Secret, WebTarget, WidgetChoice

__all__ = [
    "OPTIONS",
    "ApiTarget",
    "Deadlines",
    "Option",
    "Scenario",
    "Secret",
    "WebTarget",
    "WidgetChoice",
    "load_scenario",
]
