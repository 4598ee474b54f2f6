"""Histogram: classic buckets of one label set, cheap to fill."""

from bisect import bisect_left

import numpy as np

from glm_locust.records import RequestRecord

_HALF_NS = 5e-10
"""Values are seconds made of whole ns: what lies on a bound is not to miss it by a rounding error."""
MOST_PENDING = 8192
"""Gaps kept to be sorted into buckets together: ten times cheaper each than one by one."""


class Histogram:
    """Counts of values by upper bound, their sum, and the newest request of each bucket."""

    __slots__ = ("_bounds", "_bounds_us", "_counts", "_pending_us", "_total", "changes", "exemplars")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.exemplars: list[tuple[RequestRecord, float] | None] = [None] * (len(bounds) + 1)
        """The newest request of each bucket that is known by its request, and its value."""
        self.changes = 0
        """Grows with every value: what was rendered at the same number is still true."""
        self._bounds = [bound + _HALF_NS for bound in bounds]
        self._bounds_us = np.array([round(bound * 1e6) for bound in bounds])
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._pending_us: list[int] = []

    def add(self, value: float, record: RequestRecord | None = None) -> None:
        """Take one value in seconds, and the request it is of."""
        bucket = bisect_left(self._bounds, value)
        self._counts[bucket] += 1
        self._total += value
        self.changes += 1
        if record is not None:
            self.exemplars[bucket] = (record, value)

    def add_gaps(self, gaps_us: tuple[int, ...]) -> None:
        """Take many values in whole us."""
        self._pending_us.extend(gaps_us)
        self.changes += len(gaps_us)
        if len(self._pending_us) >= MOST_PENDING:
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
        if not self._pending_us:
            return
        gaps = np.array(self._pending_us, dtype=np.int64)
        self._pending_us.clear()
        found = np.bincount(np.searchsorted(self._bounds_us, gaps, "left"), minlength=len(self._counts))
        for bucket, count in enumerate(found.tolist()):
            self._counts[bucket] += count
        self._total += int(gaps.sum()) * 1e-6
