"""History: points in time, one a second at first, thinned with age so that a run of any length fits."""

from collections import deque
from collections.abc import Mapping
from itertools import chain, takewhile
from typing import Any

FINE_POINTS = 900
"""The last 15 minutes at one point a second."""
COARSE_POINTS = 400
FIRST_STEP = 10
"""Of older points one in ten is kept; each time that COARSE_POINTS are exceeded, half of them."""

Point = Mapping[str, float]


class History:
    """Numbered points; a reader who has seen some asks only for those since."""

    def __init__(self) -> None:
        self._fine: deque[tuple[int, Point]] = deque()
        self._coarse: list[tuple[int, Point]] = []
        self._step = FIRST_STEP
        self._last = 0

    @property
    def last(self) -> int:
        """Number of the newest point; 0 before the first."""
        return self._last

    def add(self, point: Point) -> None:
        """Append a point: column -> value, without columns that have none."""
        self._last += 1
        self._fine.append((self._last, point))
        if len(self._fine) > FINE_POINTS:
            aged = self._fine.popleft()
            if aged[0] % self._step == 0:
                self._coarse.append(aged)
        if len(self._coarse) > COARSE_POINTS:
            self._step *= 2
            self._coarse = [kept for kept in self._coarse if kept[0] % self._step == 0]

    def since(self, number: int) -> dict[str, Any]:
        """The points after this number as columns of equal length; None where a point has no value."""
        newest_first = chain(reversed(self._fine), reversed(self._coarse))
        fresh = [*takewhile(lambda numbered: numbered[0] > number, newest_first)]
        points = [point for _, point in reversed(fresh)]
        names = dict.fromkeys(name for point in points for name in point)
        return {name: [point.get(name) for point in points] for name in names}
