"""What changed from one run to another: every metric, path and task, judged together."""

from glm_locust.regression.change import SMALLEST_CHANGE, Change, Measure, Place, Verdict, changes
from glm_locust.regression.condition import Condition, parse_condition
from glm_locust.regression.observations import Observations
from glm_locust.regression.workload import different_workloads

__all__ = [
    "SMALLEST_CHANGE",
    "Change",
    "Condition",
    "Measure",
    "Observations",
    "Place",
    "Verdict",
    "changes",
    "different_workloads",
    "parse_condition",
]
