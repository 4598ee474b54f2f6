"""Runs whose truth is known: one GPU, requests of random size, and a relation or none."""

from dataclasses import dataclass

import numpy as np

from glm_locust.correlate.association import Requests
from glm_locust.correlate.series import Series

STEP_S = 0.02


@dataclass(frozen=True)
class Scenario:
    """What TTFT depends on."""

    name: str
    load: bool
    """Load moves both TTFT and GPU utilisation."""
    throttle: float = 1.0
    """TTFT is this many times longer while the clock is throttled."""
    lag_s: float = 0.0
    """TTFT follows the throttling so much later."""
    ramp: bool = False


NULL = Scenario("nothing related", load=False)
LOAD = Scenario("load drives both", load=True)
LOAD_RAMP = Scenario("load drives both, ramp", load=True, ramp=True)
THROTTLE = Scenario("throttling x1.45", load=True, throttle=1.45)


def _wander(rng: np.random.Generator, n: int, tau_s: float) -> np.ndarray:
    phi = np.exp(-STEP_S / tau_s)
    noise = rng.standard_normal(n)
    out = np.empty(n)
    out[0] = noise[0]
    scale = np.sqrt(1 - phi**2)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + scale * noise[i]
    return out


def simulate(
    scenario: Scenario, seed: int, *, run_s: float = 180.0, rate_per_s: float = 6.0, period_s: float = 1 / 6
) -> tuple[dict[str, Series], Requests]:
    """Utilisation and SM clock as a driver would report them, and the requests of one run."""
    rng = np.random.default_rng(seed)
    grid = np.arange(0, run_s, STEP_S)
    n = len(grid)
    load = np.exp(0.5 * _wander(rng, n, 8.0)) * ((0.3 + 1.7 * grid / run_s) if scenario.ramp else 1.0)
    own, hidden = _wander(rng, n, 4.0), _wander(rng, n, 4.0)
    throttled = _wander(rng, n, 6.0) > 1.0
    busy = 1 - np.exp(-0.6 * load * np.exp(0.25 * own)) if scenario.load else 1 / (1 + np.exp(-own - 0.3))
    clock = 1980 - 600 * throttled + 5 * rng.standard_normal(n)

    count = rng.poisson(rate_per_s * run_s)
    sent = np.sort(rng.uniform(2, run_s - 4, count))
    at = (sent / STEP_S).astype(int)
    tokens = np.exp(rng.normal(6.5, 0.8, count))
    in_flight = rng.poisson(8 * load[at]) + 1.0
    ttft = (0.05 + tokens / 9000) * np.exp(0.25 * hidden[at])
    if scenario.load:
        ttft = ttft * (1 + 0.12 * in_flight)
    felt = np.clip(((sent - scenario.lag_s) / STEP_S).astype(int), 0, n - 1)
    ttft = (
        ttft * np.where(throttled[felt], scenario.throttle, 1.0) * np.exp(0.15 * rng.standard_normal(count))
    )

    width = round(period_s / STEP_S)
    samples = n // width
    times = np.arange(1, samples + 1) * width * STEP_S

    def reported(values: np.ndarray, quantum: float) -> Series:
        mean = values[: samples * width].reshape(samples, width).mean(1)
        return Series(times, np.round(mean / quantum) * quantum)

    readings = {"GPU utilisation": reported(busy, 0.01), "SM clock": reported(clock, 15.0)}
    return readings, Requests(sent, sent + ttft, sent, ttft, (tokens, in_flight))
