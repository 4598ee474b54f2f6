"""Claims on runs whose truth is known, at reduced size; full size: benchmarks/correlation.py."""

from dataclasses import replace

import numpy as np
import pytest

from glm_locust.correlate.association import Requests, holm, lag_curve, ranks, variance_shares
from glm_locust.correlate.series import Series
from glm_locust.correlate.verdict import Gate, judge
from tests.correlate.simulation import LOAD, LOAD_RAMP, NULL, THROTTLE, Scenario, simulate


@pytest.mark.parametrize("scenario", [NULL, LOAD, LOAD_RAMP], ids=lambda s: s.name)
def test_nothing_is_claimed_where_nothing_or_only_load_relates(scenario: Scenario) -> None:
    claims = [
        finding.name
        for seed in range(6)
        for finding in judge(*simulate(scenario, seed), run_s=180, shifts=99, draws=20, seed=seed).findings
        if finding.claimed
    ]
    # 12 judgements at a true rate of at most 5 % each: three or more false ones would be p < .02.
    assert len(claims) <= 2


def test_throttling_is_claimed_for_the_clock_and_not_for_utilisation() -> None:
    claimed = []
    for seed in range(3):
        readings, requests = simulate(THROTTLE, seed, run_s=600)
        judgement = judge(readings, requests, run_s=600, shifts=199, draws=50, seed=seed)
        by_name = {finding.name: finding for finding in judgement.findings}
        claimed.append(by_name["SM clock"].claimed)
        assert not by_name["GPU utilisation"].claimed
        assert by_name["SM clock"].association.rho < 0, "longer TTFT at a lower clock"
        assert "lower" in by_name["SM clock"].words
        assert "cause" not in by_name["SM clock"].words
        assert not judgement.low_power
    assert all(claimed)


def test_an_injected_lag_is_found() -> None:
    readings, requests = simulate(Scenario("lag", load=True, throttle=1.6, lag_s=1.5), 4, run_s=300)
    curve = lag_curve(readings["SM clock"], requests, shifts=49, rng=np.random.default_rng(0))
    assert curve.best_lag_s == pytest.approx(1.5, abs=0.26)
    assert curve.p < 0.05


def test_a_short_run_prints_statistics_without_a_verdict() -> None:
    readings, requests = simulate(THROTTLE, 1, run_s=60, rate_per_s=4)
    judgement = judge(readings, requests, run_s=60, shifts=49, draws=20)
    assert judgement.findings
    assert not judgement.verdict
    for finding in judgement.findings:
        assert not finding.claimed
        assert "180 s are needed" in finding.words


@pytest.mark.parametrize(
    ("gate", "bound_s", "reason"),
    [
        (Gate(n=100_000), 0.0, "requests, at least 100000"),
        (Gate(rho=0.99), 0.0, "below 0.99"),
        (Gate(), 3.0, "clocks agree only within 3000 ms"),
    ],
)
def test_each_gate_closes_and_says_so(gate: Gate, bound_s: float, reason: str) -> None:
    readings, requests = simulate(THROTTLE, 2, run_s=300)
    judgement = judge(
        readings,
        requests,
        run_s=300,
        gate=gate,
        clock_bounds_s=dict.fromkeys(readings, bound_s),
        shifts=99,
        draws=10,
    )
    assert all(not f.claimed and any(reason in r for r in f.reasons) for f in judgement.findings)


def test_a_constant_reading_is_no_reading() -> None:
    readings, requests = simulate(NULL, 1, run_s=60)
    flat = readings["SM clock"]
    flat.values[:] = 1980
    assert [f.name for f in judge({"SM clock": flat}, requests, run_s=60, shifts=9, draws=5).findings] == []


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_ties_share_their_rank() -> None:
    assert ranks([5, 1, 5, 9]) == pytest.approx([2.5 / 4 - 0.5, 1 / 4 - 0.5, 2.5 / 4 - 0.5, 0.5])


def test_variance_shares_add_up() -> None:
    readings, requests = simulate(THROTTLE, 3)
    x, _ = readings["SM clock"].mean(requests.begin_s, requests.end_s)
    shares = variance_shares(
        requests.ttft_s,
        [("size", [requests.controls[0]], []), ("in flight", [requests.controls[1]], []), ("clock", [x], [])],
    )
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["size"] > shares["clock"] > 0.01


def test_what_a_path_explains_is_no_association() -> None:
    """Blocks of two paths alternate; the slower path keeps the host busy: the host explains nothing more."""
    rng = np.random.default_rng(4)
    at = np.sort(rng.uniform(5, 290, 900))
    path = (at // 15 % 2).astype(int)
    ttft = np.where(path == 1, 0.3, 0.2) * np.exp(0.2 * rng.standard_normal(900))
    grid = np.arange(0, 300, 0.2)
    host = Series(grid, np.where(grid // 15 % 2 == 1, 0.7, 0.3) + 0.05 * rng.standard_normal(len(grid)))
    alone = Requests(at, at + ttft, at, ttft)
    factored = replace(alone, factors=(path,))
    assert judge({"host CPU": host}, alone, run_s=300).findings[0].association.rho > 0.5
    found = judge({"host CPU": host}, factored, run_s=300).findings[0]
    assert abs(found.association.rho) < 0.1
    assert found.association.raw_rho > 0.5
    assert not found.claimed


def test_a_control_that_says_nothing_changes_nothing() -> None:
    readings, requests = simulate(THROTTLE, 5, run_s=120)
    constant = np.ones(len(requests.ttft_s))
    more = replace(
        requests, controls=(*requests.controls, constant, requests.controls[0]), factors=(constant,)
    )
    one, other = (
        judge({"SM clock": readings["SM clock"]}, rows, run_s=120, shifts=9, draws=5)
        .findings[0]
        .association.rho
        for rows in (requests, more)
    )
    assert one == pytest.approx(other, abs=1e-6)
