"""Arrival processes: from a seed to the instants of all arrivals, counted from the start.

Every worker walks the whole sequence and takes the arrivals that are its own, so that the sequence
is the same however many workers there are.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Timetable = Callable[[str], Iterator[int]]
"""From a seed to instants in ns since the start, in order; ends where the arrivals end."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Arrivals at a rate that is constant, or rises or falls in a line and then stays.

    Gaps are independent and gamma distributed. `cv` is their coefficient of variation: 0 is a
    metronome, 1 a Poisson process, more than 1 comes in bursts. Under a changing rate the gaps of
    a process with rate 1 are stretched, so that each arrival comes when the rate has added up to it.
    """

    rate: float
    """Per second, at the start."""
    cv: float
    last_rate: float | None = None
    """The rate after `over_s`; None: it stays."""
    over_s: float = 0.0

    def rate_at(self, offset_s: float) -> float:
        """Expected arrivals per second at this time after the start."""
        if self.last_rate is None:
            return self.rate
        share = min(1.0, max(0.0, offset_s / self.over_s))
        return self.rate + (self.last_rate - self.rate) * share

    def expected(self, beyond_s: float) -> float:
        """How many arrivals there are on average until this time after the end of the ramp."""
        if self.last_rate is None:
            return self.rate * beyond_s
        return (self.rate + self.last_rate) / 2 * self.over_s + self.last_rate * beyond_s

    def instants_s(self, seed: str) -> Iterator[float]:
        """Seconds since the start, without end."""
        draw = self._gaps(random.Random(f"{seed}/arrivals"))
        expected = 0.0
        while True:
            expected += draw()
            yield self._when(expected)

    def _gaps(self, rng: random.Random) -> Callable[[], float]:
        """Draws gaps with a mean of 1."""
        if self.cv == 0:
            return lambda: 1.0
        if self.cv == 1:
            return lambda: rng.expovariate(1.0)
        shape = 1 / self.cv**2
        return lambda: rng.gammavariate(shape, 1 / shape)

    def _when(self, expected: float) -> float:
        """The time at which the rate has added up to this many arrivals."""
        if self.last_rate is None:
            return expected / self.rate
        in_ramp = (self.rate + self.last_rate) / 2 * self.over_s
        if expected >= in_ramp:
            return self.over_s + (expected - in_ramp) / self.last_rate
        slope = (self.last_rate - self.rate) / self.over_s
        root = math.sqrt(max(0.0, self.rate**2 + 2 * slope * expected))
        # The textbook's (root - rate) / slope loses all digits where the rate hardly changes.
        return 2 * expected / (root + self.rate)


@dataclass(frozen=True, slots=True)
class Replay:
    """Arrivals as they once came, from a file."""

    file: str
    speed: float = 1.0
    """How many times faster than they came."""

    @property
    def text(self) -> str:
        """As `--arrivals` says it."""
        return f"trace:{self.file}" + (f",speed={self.speed:g}" if self.speed != 1 else "")


Arrivals = Renewal | Replay
"""What `--arrivals` says."""


def instants_ns(arrivals: Renewal) -> Timetable:
    """The timetable of a process that needs no file."""
    return lambda seed: (round(instant * 1e9) for instant in arrivals.instants_s(seed))
