"""The offset between two clocks over a run, from rounds of probes."""

from collections.abc import Sequence

import numpy as np

from glm_locust.correlate.probes import Offset
from glm_locust.correlate.series import Floats


class OffsetLine:
    """The offset over a run: linear between rounds of probes, constant before and after."""

    def __init__(self, rounds: Sequence[Offset]) -> None:
        if not rounds:
            raise ValueError("no rounds of probes")
        ordered = sorted(rounds, key=lambda o: o.at_ns)
        self._origin_ns = ordered[0].at_ns
        self._at_s = np.array([(o.at_ns - self._origin_ns) / 1e9 for o in ordered])
        self._offset_s = np.array([o.offset_ns / 1e9 for o in ordered])
        drift_s = float(np.ptp(self._offset_s))
        self.bound_s = max(o.bound_ns for o in ordered) / 1e9
        """The hard bound of the worst round."""
        self.stepped = any(o.stepped for o in ordered) or drift_s > max(10 * self.bound_s, 0.05)

    def to_far_ns(self, near_ns: Sequence[int] | np.ndarray) -> Floats:
        """Times of the near clock as times of the far clock."""
        near = np.asarray(near_ns, dtype=np.float64)
        offset_s = np.interp((near - self._origin_ns) / 1e9, self._at_s, self._offset_s)
        return np.asarray(near + offset_s * 1e9, np.float64)

    def to_near_ns(self, far_ns: Sequence[int] | np.ndarray) -> Floats:
        """Times of the far clock as times of the near clock, in ns (float: good to some 0.2 us)."""
        far = np.asarray(far_ns, dtype=np.float64)
        near_s = (far - self._origin_ns) / 1e9 - self._offset_s[0]
        offset_s = np.interp(near_s, self._at_s, self._offset_s)
        return np.asarray(far - offset_s * 1e9, np.float64)
