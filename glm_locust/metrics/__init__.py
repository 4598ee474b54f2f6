"""What is computed from a record, and how many such values are summed up."""

from glm_locust.metrics.summary import (
    RELATIVE_ERROR_BOUND,
    SMALLEST_N,
    Summary,
    enough_for,
)
from glm_locust.metrics.table import (
    METRICS,
    Better,
    Metric,
    Numbers,
    Pooled,
    Values,
    enters_statistics,
    send_lag_s,
    values_of,
)

__all__ = [
    "METRICS",
    "RELATIVE_ERROR_BOUND",
    "SMALLEST_N",
    "Better",
    "Metric",
    "Numbers",
    "Pooled",
    "Summary",
    "Values",
    "enough_for",
    "enters_statistics",
    "send_lag_s",
    "values_of",
]
