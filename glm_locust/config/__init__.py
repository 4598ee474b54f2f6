"""What a run is to do, read from TOML and command lines into frozen dataclasses."""

from glm_locust.config.metrics_port import MetricsPort
from glm_locust.config.options import OPTIONS, Option
from glm_locust.config.page_settings import PAGE_CHOICES, page_choices
from glm_locust.config.scenario import Scenario, load_scenario
from glm_locust.config.targets import (
    AnswerChoice,
    ApiTarget,
    Deadlines,
    Secret,
    WebTarget,
    WidgetChoice,
    WidgetSetting,
    WidgetValue,
)

__all__ = [
    "OPTIONS",
    "PAGE_CHOICES",
    "AnswerChoice",
    "ApiTarget",
    "Deadlines",
    "MetricsPort",
    "Option",
    "Scenario",
    "Secret",
    "WebTarget",
    "WidgetChoice",
    "WidgetSetting",
    "WidgetValue",
    "load_scenario",
    "page_choices",
]
