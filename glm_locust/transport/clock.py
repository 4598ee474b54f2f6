"""The one clock of a process: monotonic, anchored once to the wall clock."""

import time


def _anchor() -> tuple[int, int]:
    """(wall, monotonic) of one instant: of several readings the one least disturbed by the scheduler."""
    readings = []
    for _ in range(20):
        before = time.perf_counter_ns()
        wall = time.time_ns()
        after = time.perf_counter_ns()
        readings.append((after - before, wall, (before + after) // 2))
    _, wall, middle = min(readings)
    return wall, middle


ANCHOR_WALL_NS, ANCHOR_PERF_NS = _anchor()
_OFFSET_NS = ANCHOR_WALL_NS - ANCHOR_PERF_NS


def now_ns() -> int:
    """Now in ns since the Unix epoch; never steps, whatever happens to the wall clock."""
    return time.perf_counter_ns() + _OFFSET_NS


def lag_us(kernel_realtime_ns: int) -> int:
    """How long ago in us the kernel says (SO_TIMESTAMPNS, CLOCK_REALTIME) the data arrived; >= 0."""
    return max(0, (time.time_ns() - kernel_realtime_ns) // 1000)
