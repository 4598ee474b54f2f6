"""The one clock of a process: monotonic, anchored once to the wall clock."""

import time

ANCHOR_WALL_NS = time.time_ns()
ANCHOR_PERF_NS = time.perf_counter_ns()
_OFFSET_NS = ANCHOR_WALL_NS - ANCHOR_PERF_NS


def now_ns() -> int:
    """Now in ns since the Unix epoch; never steps, whatever happens to the wall clock."""
    return time.perf_counter_ns() + _OFFSET_NS


def lag_us(kernel_realtime_ns: int) -> int:
    """How long ago in us the kernel says (SO_TIMESTAMPNS, CLOCK_REALTIME) the data arrived; >= 0."""
    return max(0, (time.time_ns() - kernel_realtime_ns) // 1000)
