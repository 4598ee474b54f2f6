"""The offset between two hosts' clocks from request-answer probes, with a hard bound.

A probe left here at t0, arrived there at t1, left there at t2 and came back at t3. Whatever the
asymmetry of the way, the far clock minus the near one lies in [t2 - t3, t1 - t0]. All probes of a
round bound the same offset, so their intervals are intersected.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """One exchange; ns, t0 and t3 on the near clock, t1 and t2 on the far one."""

    t0_ns: int
    t1_ns: int
    t2_ns: int
    t3_ns: int


@dataclass(frozen=True, slots=True)
class Offset:
    """Far clock minus near clock, as of one instant of the near clock."""

    at_ns: int
    offset_ns: int
    bound_ns: int
    """The truth is within `offset_ns` ± `bound_ns`."""
    stepped: bool = False
    """The probes contradict each other: a clock stepped meanwhile; the quickest one was believed."""


def offset_of(probes: Sequence[Probe]) -> Offset:
    """The offset that one round of probes allows; raises ValueError without probes."""
    if not probes:
        raise ValueError("no probes")
    at_ns = (probes[0].t0_ns + probes[-1].t3_ns) // 2
    low = max(p.t2_ns - p.t3_ns for p in probes)
    high = min(p.t1_ns - p.t0_ns for p in probes)
    stepped = low > high
    if stepped:
        quickest = min(probes, key=lambda p: (p.t3_ns - p.t0_ns) - (p.t2_ns - p.t1_ns))
        low, high = quickest.t2_ns - quickest.t3_ns, quickest.t1_ns - quickest.t0_ns
    return Offset(at_ns, (low + high) // 2, (high - low + 1) // 2, stepped)
