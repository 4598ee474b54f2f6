"""Open loop: at which instants requests come, whoever makes them; pure functions of a process and a seed."""

from glm_locust.arrivals.grammar import GRAMMAR, parse
from glm_locust.arrivals.process import Arrivals, Renewal, Replay, Timetable, instants_ns
from glm_locust.arrivals.share import Share, Walk, shares_of

__all__ = [
    "GRAMMAR",
    "Arrivals",
    "Renewal",
    "Replay",
    "Share",
    "Timetable",
    "Walk",
    "instants_ns",
    "parse",
    "shares_of",
]
