"""Readings on healthy devices: what the journal says is what comes out, in base units."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.exporter.rig import Exporter, Journal

pytestmark = [pytest.mark.servers, pytest.mark.compiler]

Start = Callable[..., Exporter]


def test_every_reading_has_the_value_and_unit_of_the_script(start: Start, journal: Journal) -> None:
    journal.add(
        "*.util = 85", "*.memutil = 40", "*.power_mw = 612345", "*.power_limit_mw = 650000", "*.temp = 71"
    )
    journal.add("*.sm_mhz = 1755", "*.mem_mhz = 2619", "*.mem_total = 100000", "*.mem_used = 60000")
    journal.add("*.mem_reserved = 7000", "*.throttle = 0x24", "*.procs = 4242:8000,4343:1500")
    journal.add("*.gpm = 1", "*.gpm.2 = 61.5", "*.gpm.3 = 20", "*.gpm.5 = 40", "*.util_period_us = 1000")
    exporter = start()
    scrape = exporter.wait_for(
        "GPM and processes", lambda s: s.all("gpu_tensor_active_ratio") and s.all("gpu_process_memory_bytes")
    )
    expected = {
        "gpu_up": 1,
        "gpu_utilization_ratio": 0.85,
        "gpu_memory_activity_ratio": 0.4,
        "gpu_power_watts": 612.345,
        "gpu_power_limit_watts": 650,
        "gpu_temperature_celsius": 71,
        "gpu_sm_clock_hertz": 1.755e9,
        "gpu_memory_clock_hertz": 2.619e9,
        "gpu_memory_total_bytes": 100_000,
        "gpu_memory_used_bytes": 60_000,
        "gpu_memory_reserved_bytes": 7_000,
        "gpu_memory_free_bytes": 33_000,
        "gpu_sm_active_ratio": 0.615,
        "gpu_sm_occupancy_ratio": 0.2,
        "gpu_tensor_active_ratio": 0.4,
    }
    assert {name: scrape.one(name) for name in expected} == pytest.approx(expected)
    assert "gpu_dram_active_ratio" not in scrape.names()  # GPM 10 is not in the script
    active = {labels["reason"] for labels in scrape.labels("gpu_throttle_active")}
    on = {reason for reason in active if scrape.one("gpu_throttle_active", reason=reason)}
    assert on == {"sw_power_cap", "sw_thermal"}
    assert scrape.one("gpu_process_memory_bytes", pid="4343", group="") == 1500


def test_counters_are_integrals_of_what_was_sampled(start: Start, journal: Journal) -> None:
    journal.add("*.util = 50", "*.util_period_us = 1000", "*.power_mw = 400000", "*.throttle = 4")
    exporter = start()
    exporter.wait_for(
        "two seconds of samples",
        lambda s: (s.one("gpu_throttled_seconds_total", reason="sw_power_cap") or 0) > 2,
    )
    scrape = exporter.scrape()
    busy_s, throttled_s = (
        scrape.one("gpu_busy_seconds_total"),
        scrape.one("gpu_throttled_seconds_total", reason="sw_power_cap"),
    )
    assert busy_s is not None
    assert throttled_s is not None
    assert busy_s == pytest.approx(throttled_s / 2)
    assert scrape.one("gpu_throttled_seconds_total", reason="hw_thermal") == 0
    samples = [row for row in exporter.rows() if row["kind"] == "gpu"]
    first, last = samples[0], samples[-1]
    span_s = (last["t0_ns"] - first["t0_ns"]) / 1e9
    joules = last["v"]["gpu_energy_joules_total"] - first["v"]["gpu_energy_joules_total"]
    assert joules / span_s == pytest.approx(400, rel=0.1)


def test_what_the_driver_sampled_itself_comes_once_and_in_order(start: Start, journal: Journal) -> None:
    journal.add("*.power_mw = 300000", "*.util = 30")
    exporter = start()

    def power() -> list[dict[str, list[float]]]:
        return [r for r in exporter.rows() if r["kind"] == "gpu_buffer" and r["metric"] == "gpu_power_watts"]

    exporter.wait_for("three looks at the driver's ring", lambda _: len(power()) >= 3)
    times = [t_ns for row in power() for t_ns in row["t_ns"]]
    assert all(b - a == 20_000_000 for a, b in pairwise(times))
    assert {value for row in power() for value in row["v"]} == {300.0}


def test_the_interval_between_samples_is_the_one_asked_for(start: Start) -> None:
    exporter = start("--hz", "50")
    exporter.wait_for("a hundred samples", lambda s: (s.one("gpu_samples_total") or 0) >= 100)
    times = [row["t0_ns"] for row in exporter.rows() if row["kind"] == "gpu"]
    gaps_ns = [b - a for a, b in pairwise(times)]
    assert len(gaps_ns) / (sum(gaps_ns) / 1e9) <= 50 * 1.05, "never more than asked for, after a stall either"
    # On a busy machine ticks are missed; where none were, the interval is the one asked for.
    spells = [sorted(gaps_ns[at : at + 9])[4] for at in range(len(gaps_ns) - 8)]
    assert min(abs(gap_ns - 20_000_000) for gap_ns in spells) < 5_000_000


def test_dcgm_names_stand_beside_ours_in_their_units(start: Start, journal: Journal) -> None:
    journal.add("*.util = 85", "*.mem_used = 1048576000", "*.sm_mhz = 1755", "*.util_period_us = 1000")
    exporter = start("--dcgm-compat")
    scrape = exporter.wait_for("slow readings", lambda s: s.all("DCGM_FI_DEV_FB_FREE"))
    assert scrape.one("DCGM_FI_DEV_GPU_UTIL", gpu="0", device="nvidia0", modelName="NVIDIA H200") == 85
    assert scrape.one("DCGM_FI_DEV_FB_USED") == 1000
    assert scrape.one("DCGM_FI_DEV_SM_CLOCK") == 1755
    energy = scrape.one("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION")
    assert energy == pytest.approx(1000 * (scrape.one("gpu_energy_joules_total") or 0))


def test_dcgm_names_are_not_served_unasked(start: Start) -> None:
    exporter = start()
    assert not any(name.startswith("DCGM") for name in exporter.wait_for_gpus(1).names())
