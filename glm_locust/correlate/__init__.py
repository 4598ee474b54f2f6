"""Whether a sampled reading (GPU, host, engine) moves with TTFT, with honest error rates; numpy only."""

from glm_locust.correlate.association import (
    Association,
    LagCurve,
    Requests,
    associate,
    holm,
    interval,
    lag_curve,
    ranks,
    variance_shares,
)
from glm_locust.correlate.offset import Offset, OffsetLine, Probe, offset_of
from glm_locust.correlate.series import Series, Windows
from glm_locust.correlate.verdict import Finding, Gate, Judgement, judge

__all__ = [
    "Association",
    "Finding",
    "Gate",
    "Judgement",
    "LagCurve",
    "Offset",
    "OffsetLine",
    "Probe",
    "Requests",
    "Series",
    "Windows",
    "associate",
    "holm",
    "interval",
    "judge",
    "lag_curve",
    "offset_of",
    "ranks",
    "variance_shares",
]
