"""Gauges: what is read once a second beside the records, as it stands at that moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU, host or engine, with its newest readings."""

    name: str
    """`GPU 0`, `host`, `engine`, or the name of a process group."""
    readings: Mapping[str, float]
    """Quantity, in the words of `samples.readings.QUANTITIES` -> value in its unit."""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Open loop: requests that were due so far."""

    started: int
    dropped: int
    """Nobody was free."""
    rate: float | None = None
    """How many are due now per second, on average."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """One look at everything that is no record; None: not known."""

    in_flight: Mapping[tuple[str, str], int] | None = None
    """By path and task, over all workers."""
    generator_lag_s: float | None = None
    """Largest of all workers in the last second."""
    send_lag_s: float | None = None
    worker_cpu_ratio: float | None = None
    """Of the busiest worker: 1 is a whole core."""
    host_cpu_ratio: float | None = None
    """Of the host that this process runs on: 1 is all of its cores."""
    arrivals: Arrivals | None = None
    devices: tuple[Device, ...] = field(default=())
