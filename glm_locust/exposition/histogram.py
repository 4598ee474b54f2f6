"""Histogram: classic buckets of one label set, cheap to fill."""

from bisect import bisect_left
from itertools import pairwise

import numpy as np

from glm_locust.metrics import Numbers, Pooled
from glm_locust.records import RequestRecord

_HALF_NS = 5e-10
"""Values are seconds made of whole ns: what lies on a bound is not to miss it by a rounding error."""
MOST_PENDING = 8192
"""Values kept to be sorted into buckets together: ten times cheaper each than one by one."""

Exemplar = tuple[RequestRecord, float]
"""A request and its value."""


class Histogram:
    """Counts of values by upper bound, their sum, and the newest request of each bucket."""

    __slots__ = (
        "_bounds",
        "_counts",
        "_parts",
        "_pending",
        "_total",
        "_unit",
        "_whole_bounds",
        "changes",
        "exemplars",
    )

    def __init__(self, bounds: tuple[float, ...], pooled: Pooled | None = None) -> None:
        """`pooled`: the formula, where it is one of many values to a record."""
        self.exemplars: list[Exemplar | None] = [None] * (len(bounds) + 1)
        """The newest request of each bucket that is known by its request, and its value."""
        self.changes = 0
        """Grows with every value: what was rendered at the same number is still true."""
        self._bounds = [bound + _HALF_NS for bound in bounds]
        self._unit = 1.0 if pooled is None else pooled.unit
        self._whole_bounds = np.array([round(bound / self._unit) for bound in bounds])
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._parts: list[Numbers] = []
        self._pending = 0

    def add(self, value: float, record: RequestRecord | None = None) -> None:
        """Take one value in seconds, and the request it is of."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._total += value
        self.changes += 1
        if record is not None:
            self.exemplars[bucket] = (record, value)

    def add_numbers(self, numbers: Numbers) -> None:
        """Take many values as whole numbers of the unit of the formula."""
        self._parts.append(numbers)
        self._pending += len(numbers)
        self.changes += len(numbers)
        if self._pending >= MOST_PENDING:
            self._sort_in()

    @property
    def counts(self) -> list[int]:
        """Values in each bucket, not cumulated; the last bucket has no upper bound."""
        self._sort_in()
        return self._counts

    @property
    def total(self) -> float:
        """The sum of all values in seconds."""
        self._sort_in()
        return self._total

    def _sort_in(self) -> None:
        if not self._pending:
            return
        numbers = np.sort(np.concatenate(self._parts))
        self._parts.clear()
        self._pending = 0
        up_to = numbers.searchsorted(self._whole_bounds, "right").tolist()
        for bucket, (begin, end) in enumerate(pairwise((0, *up_to, len(numbers)))):
            self._counts[bucket] += end - begin
        self._total += int(numbers.sum()) * self._unit
