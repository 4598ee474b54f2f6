"""Window: quantiles of the newest values, for lines that move with the load."""

from collections import deque

import numpy as np
import numpy.typing as npt

from glm_locust.metrics import enough_for

WINDOW_S = 10.0
REACH_S = 60.0
"""Where the last WINDOW_S have fewer than ENOUGH values, older ones are taken in, up to this age."""
ENOUGH = 20
MOST = 2000


class Window:
    """The values of the last 10 s, or the newest 20 of the last minute; at most the newest 2,000."""

    def __init__(self) -> None:
        self._at_s: deque[float] = deque(maxlen=MOST)
        self._values: deque[float] = deque(maxlen=MOST)

    def add(self, at_s: float, value: float) -> None:
        """Take a value that came at this time; times never fall."""
        self._at_s.append(at_s)
        self._values.append(value)

    def quantiles(self, qs: tuple[float, ...], now_s: float) -> tuple[float | None, ...]:
        """Interpolated as in reports; None where there are too few values to print one."""
        self._forget(now_s)
        n = len(self._values)
        ordered = np.sort(np.fromiter(self._values, float, n))
        return tuple(_quantile(ordered, q) if n and enough_for(q, n) else None for q in qs)

    def _forget(self, now_s: float) -> None:
        at_s = self._at_s
        while at_s and (at_s[0] < now_s - REACH_S or (len(at_s) > ENOUGH and at_s[0] < now_s - WINDOW_S)):
            at_s.popleft()
            self._values.popleft()


def _quantile(ordered: npt.NDArray[np.float64], q: float) -> float:
    position = q * (len(ordered) - 1)
    below = int(position)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (high - low) * (position - below)
