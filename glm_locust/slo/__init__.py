"""Service level objectives: `ttft p95 < 2 s` read, and judged by the records of a run."""

from glm_locust.slo.grammar import parse
from glm_locust.slo.judge import Judge, Reason, Ruling, Verdict, Windows, meets, overall
from glm_locust.slo.objective import (
    Comparison,
    Condition,
    FailureShare,
    Goodput,
    MetricStatistic,
    Objective,
    Scope,
)

__all__ = [
    "Comparison",
    "Condition",
    "FailureShare",
    "Goodput",
    "Judge",
    "MetricStatistic",
    "Objective",
    "Reason",
    "Ruling",
    "Scope",
    "Verdict",
    "Windows",
    "meets",
    "overall",
    "parse",
]
