"""When a correlation may be claimed, and in which words: never as a cause."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from glm_locust.correlate.association import (
    Association,
    LagCurve,
    Requests,
    associate,
    holm,
    interval,
    lag_curve,
)
from glm_locust.correlate.series import Floats, Series

MIN_COVERAGE_OF_REQUEST = 0.5
"""Requests whose window is covered less than this are left out."""

FULL_SHIFTS = 499
"""From here on the number of shifts grows with the number of readings."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What a claim must pass."""

    p_adjusted: float = 0.05
    rho: float = 0.1
    n: int = 100
    run_s: float = 180.0
    coverage: float = 0.8
    full_power_s: float = 600.0
    """Shorter runs are labelled: they miss real relations."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reading's association with TTFT and what may be said of it."""

    name: str
    association: Association
    p_adjusted: float
    interval: tuple[float, float]
    coverage: float
    resolution: float
    """Median length of the windows / sampling period; below 1 they mostly see what was around them."""
    claimed: bool
    reasons: tuple[str, ...]
    """Why nothing is claimed; empty where it is."""
    lag: LagCurve | None = None

    @property
    def words(self) -> str:
        """One sentence for a report."""
        a = self.association
        if self.claimed:
            low, high = self.interval
            way = "higher" if a.rho > 0 else "lower"
            return (
                f"TTFT was longer while {self.name} was {way}, beyond what request size and load explain "
                f"(partial rank correlation {a.rho:+.2f} [{low:+.2f}, {high:+.2f}], n = {a.n})."
            )
        return (
            f"No association shown ({'; '.join(self.reasons)}); "
            f"this run could have seen |rho| of {a.null_rho:.2f} or more."
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """All readings of a run, judged together (Holm over all of them)."""

    findings: tuple[Finding, ...]
    run_s: float
    low_power: bool
    verdict: bool
    """False: the run was too short or too small for any verdict; statistics only."""


def judge(
    readings: Mapping[str, Series],
    requests: Requests,
    *,
    run_s: float,
    windows: Mapping[str, tuple[Floats, Floats]] | None = None,
    gate: Gate | None = None,
    seed: int = 0,
    shifts: int = FULL_SHIFTS,
    draws: int = 300,
    clock_bounds_s: Mapping[str, float] | None = None,
) -> Judgement:
    """Judge every reading against TTFT; readings that never vary or cover nothing are left out.

    `windows`: begin and end of another window for some readings. `clock_bounds_s`: how far the times of
    a reading may be off; 0 where it is not named.
    """
    bounds_s = clock_bounds_s or {}
    gate = gate or Gate()
    rng = np.random.default_rng(seed)
    # As many shifts as it takes for the smallest possible p to pass Holm's correction.
    shifts = max(shifts, round(2 * len(readings) / gate.p_adjusted)) if shifts >= FULL_SHIFTS else shifts
    measured: list[tuple[str, Series, Requests, Association, float]] = []
    for name, series in readings.items():
        begin_s, end_s = (windows or {}).get(name, (requests.begin_s, requests.end_s))
        met = replace(requests, begin_s=begin_s, end_s=end_s)
        _, covered = series.mean(begin_s, end_s)
        kept = met.take(covered >= MIN_COVERAGE_OF_REQUEST)
        if len(kept.ttft_s) < 10 or np.ptp(series.values) == 0:
            continue
        found = associate(series, kept, shifts=shifts, rng=rng)
        measured.append((name, series, kept, found, float(np.mean(covered))))
    adjusted = holm([found.p for *_, found, _ in measured])
    findings = []
    for (name, series, kept, found, coverage), p_adjusted in zip(measured, adjusted, strict=True):
        reasons = _obstacles(
            gate,
            found,
            p_adjusted=p_adjusted,
            coverage=coverage,
            run_s=run_s,
            clock_bound_s=bounds_s.get(name, 0.0),
            period_s=series.period_s,
        )
        claimed = not reasons
        findings.append(
            Finding(
                name=name,
                association=found,
                p_adjusted=p_adjusted,
                interval=interval(series, kept, draws=draws, rng=rng),
                coverage=coverage,
                resolution=float(np.median(kept.end_s - kept.begin_s)) / series.period_s,
                claimed=claimed,
                reasons=tuple(reasons),
                lag=_lag(series, kept, rng) if claimed else None,
            )
        )
    enough = run_s >= gate.run_s and len(requests.ttft_s) >= gate.n
    return Judgement(tuple(findings), run_s, run_s < gate.full_power_s, enough)


def _obstacles(
    gate: Gate,
    found: Association,
    *,
    p_adjusted: float,
    coverage: float,
    run_s: float,
    clock_bound_s: float,
    period_s: float,
) -> list[str]:
    return [
        reason
        for failed, reason in (
            (run_s < gate.run_s, f"run of {run_s:.0f} s, at least {gate.run_s:.0f} s are needed"),
            (found.n < gate.n, f"{found.n} requests, at least {gate.n} are needed"),
            (
                coverage < gate.coverage,
                f"samples cover {coverage:.0%}, at least {gate.coverage:.0%} are needed",
            ),
            (clock_bound_s == float("inf"), "nothing compared the clocks of the two hosts"),
            (
                max(period_s / 2, 0.25) < clock_bound_s < float("inf"),
                f"clocks agree only within {clock_bound_s * 1000:.0f} ms",
            ),
            (not p_adjusted < gate.p_adjusted, f"adjusted p = {p_adjusted:.3f}"),
            (abs(found.rho) < gate.rho, f"|rho| = {abs(found.rho):.2f}, below {gate.rho:g}"),
        )
        if failed
    ]


def _lag(series: Series, requests: Requests, rng: np.random.Generator) -> LagCurve | None:
    try:
        return lag_curve(series, requests, rng=rng)
    except ValueError:
        return None
