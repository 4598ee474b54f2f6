"""Error rates of the correlation verdicts on simulated runs whose truth is known.

`python benchmarks/correlation.py [--runs 200] [--long-runs 200]`: about 20 minutes on two cores at
full size. Prints, per scenario, how often the textbook p value and the gated method claim a
relation, and how well an injected lag and a clock offset are found.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.correlate.association import lag_curve, ranks
from glm_locust.correlate.probes import Probe, offset_of
from glm_locust.correlate.verdict import judge
from tests.correlate.simulation import LOAD, LOAD_RAMP, NULL, THROTTLE, Scenario, simulate

LAG = Scenario("lag of 1.5 s", load=True, throttle=1.6, lag_s=1.5)


def one_run(job: tuple[Scenario, int, float]) -> tuple[bool, bool, bool]:
    """Textbook claim on utilisation, gated claim on utilisation, gated claim on the clock."""
    scenario, seed, run_s = job
    readings, requests = simulate(scenario, seed, run_s=run_s)
    x, _ = readings["GPU utilisation"].mean(requests.begin_s, requests.end_s)
    rho = np.corrcoef(ranks(x), ranks(requests.ttft_s))[0, 1]
    textbook = abs(np.arctanh(rho)) * np.sqrt(len(x) - 3) > 1.96
    found = judge(readings, requests, run_s=run_s, shifts=199, draws=20, seed=seed)
    claimed = {finding.name: finding.claimed for finding in found.findings}
    return bool(textbook), claimed["GPU utilisation"], claimed["SM clock"]


def one_lag(seed: int) -> float:
    readings, requests = simulate(LAG, seed, run_s=300)
    rng = np.random.default_rng(seed)
    return lag_curve(readings["SM clock"], requests, shifts=9, rng=rng).best_lag_s


def one_offset(seed: int) -> tuple[bool, float]:
    """Whether the truth was outside the bound, and the bound in ms, over an asymmetric way."""
    rng = np.random.default_rng(seed)
    truth, now, probes = int(rng.integers(-(10**9), 10**9)), 10**15, []
    for _ in range(20):
        there, back = (int(1e5 + rng.exponential(4e5)) for _ in range(2))
        work = int(rng.exponential(5e4))
        probes.append(Probe(now, now + there + truth, now + there + work + truth, now + there + work + back))
        now += 10**8
    found = offset_of(probes)
    return abs(found.offset_ns - truth) > found.bound_ns + 1, found.bound_ns / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200, help="runs of 180 s per scenario")
    parser.add_argument("--long-runs", type=int, default=200, help="runs of 600 s per scenario")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    began = time.monotonic()
    print(f"{'scenario':24} {'run':>6} {'runs':>5} {'textbook p<.05':>15} {'claims: busy':>13} {'clock':>8}")
    with ProcessPoolExecutor(arguments.workers) as pool:
        for run_s, runs in ((180.0, arguments.runs), (600.0, arguments.long_runs)):
            for number, scenario in enumerate((NULL, LOAD, LOAD_RAMP, THROTTLE)):
                # Seeds of their own: scenarios that shared their noise would err together.
                seeds = range(100_000 * number + int(run_s), 100_000 * number + int(run_s) + runs)
                rows = np.array(list(pool.map(one_run, [(scenario, seed, run_s) for seed in seeds])))
                textbook, busy, clock = rows.mean(0)
                print(
                    f"{scenario.name:24} {run_s:4.0f} s {runs:5d} {textbook:15.1%} {busy:13.1%} {clock:8.1%}",
                    flush=True,
                )
        lags = np.array(list(pool.map(one_lag, range(max(20, arguments.runs // 5)))))
        outside, bounds = zip(*pool.map(one_offset, range(900)), strict=True)
    low, middle, high = np.quantile(lags, [0.25, 0.5, 0.75])
    print(
        f"lag injected 1.50 s: found median {middle:.2f} s, "
        f"quartiles {low:.2f} .. {high:.2f} s, n = {len(lags)}"
    )
    print(
        f"clock offset: truth outside the bound in {sum(outside)} of {len(outside)}; "
        f"median bound {np.median(bounds):.2f} ms"
    )
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
