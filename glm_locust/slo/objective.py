"""Objective: what is promised of which requests, as data."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from glm_locust.metrics import METRICS
from glm_locust.records import RequestRecord

PER_SECOND = "requests/s"
SHARE = "share"


class Comparison(StrEnum):
    """How a value is held against a limit."""

    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="

    def holds(self, value: float, limit: float) -> bool:
        """Whether `value` is on the right side of `limit`."""
        return _HOLDS[self](value, limit)

    @property
    def downwards(self) -> bool:
        """Whether smaller is better."""
        return self in _DOWNWARDS


_HOLDS: Mapping[Comparison, Callable[[float, float], bool]] = {
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}
_DOWNWARDS = frozenset((Comparison.BELOW, Comparison.AT_MOST))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests are meant; None: of any."""

    path: str | None = None
    task: str | None = None
    level: int | None = None

    def takes(self, record: RequestRecord) -> bool:
        """Whether this request is meant."""
        return (
            self.path in (None, record.path)
            and self.task in (None, record.task)
            and self.level in (None, record.level)
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """What one request must meet; the limit is in the metric's unit."""

    metric: str
    comparison: Comparison
    limit: float


@dataclass(frozen=True, slots=True)
class MetricStatistic:
    """A quantile, the mean, or the smallest or largest value of one metric."""

    metric: str
    statistic: str
    """As typed: p95, median, mean, min, max."""
    quantile: float | None
    """None: the mean."""

    @property
    def unit(self) -> str:
        """That of the metric."""
        return METRICS[self.metric].unit


@dataclass(frozen=True, slots=True)
class FailureShare:
    """Failed requests over all that ended by themselves."""

    @property
    def unit(self) -> str:
        """A fraction of 1."""
        return SHARE


@dataclass(frozen=True, slots=True)
class Goodput:
    """Requests that met every condition: their share of all that ended by themselves, or per second."""

    conditions: tuple[Condition, ...]
    per_second: bool = False

    @property
    def unit(self) -> str:
        """A fraction of 1, or requests per second."""
        return PER_SECOND if self.per_second else SHARE


Measure = MetricStatistic | FailureShare | Goodput


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise; `limit` is in the unit of the measure."""

    text: str
    """As it was typed."""
    scope: Scope
    measure: Measure
    comparison: Comparison
    limit: float
    window_s: float | None = None
    """It must hold in every window of this length; None: over the whole run."""

    @property
    def needed(self) -> int:
        """Fewest values from which it can be told that the objective is met.

        Of fewer, the largest one alone would decide a percentile, and a share could not come nearer
        to its limit than by whole requests.
        """
        match self.measure:
            case MetricStatistic(quantile=quantile):
                beyond = None if quantile is None else min(quantile, 1 - quantile)
            case Goodput(per_second=True):
                beyond = None
            case FailureShare() | Goodput():
                beyond = self.limit if self.comparison.downwards else 1 - self.limit
        return math.ceil(round(1 / beyond, 6)) if beyond else 1
