"""The state: nothing outlives its age, integrals credit no gaps, counters only grow."""

from typing import Any

import pytest
from glm_gpu_exporter import policy
from glm_gpu_exporter.announce import Announcer
from glm_gpu_exporter.nvml_reasons import THROTTLE_REASONS
from glm_gpu_exporter.policy import Backoff, Verdict
from glm_gpu_exporter.state import State

BIT = THROTTLE_REASONS["sw_power_cap"]


def sample(at_s: float, gpu: int = 0, **values: float) -> dict[str, Any]:
    at_ns = round(at_s * 1e9)
    return {"kind": "gpu", "gpu": gpu, "t0_ns": at_ns, "t1_ns": at_ns, "v": values}


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "t0_ns": 0, "t1_ns": 0, **content}


def state_after(*rows: tuple[float, dict[str, Any]]) -> State:
    state = State(stale_s=2.0)
    for now_s, row in rows:
        state.apply(row, now_s)
    return state


@pytest.mark.parametrize(
    ("times_s", "busy_s", "why"),
    [
        ([1.0], 0.0, "one sample spans no time"),
        ([1.0, 1.05, 1.10], 0.05, "half busy for a tenth of a second"),
        ([1.0, 61.0], 0.125, "a gap counts as five periods"),
        ([1.0, 0.5, 0.55], 0.025, "a clock that is set back takes nothing away"),
    ],
)
def test_busy_time_is_the_integral_of_what_was_seen(times_s: list[float], busy_s: float, why: str) -> None:
    rows = [(t, sample(t, gpu_utilization_ratio=0.5, throttle_mask=BIT)) for t in times_s]
    gpu = state_after(*rows).gpus[0]
    assert gpu.busy_s == pytest.approx(busy_s), why
    assert gpu.throttled_s(BIT) == pytest.approx(2 * busy_s), why
    assert gpu.throttled_s(THROTTLE_REASONS["hw_thermal"]) == 0


@pytest.mark.parametrize(
    ("kind", "content", "fresh_s", "stale_s"),
    [
        ("gpu", {"v": {}}, 1.9, 2.1),
        ("gpu_slow", {"v": {}}, 2.9, 3.1),
        ("gpu_activity", {"v": {}}, 2.9, 3.1),
        ("gpu_processes", {"processes": []}, 2.9, 3.1),
        ("gpu_mig", {"instances": []}, 2.9, 3.1),
    ],
)
def test_what_is_too_old_is_not_there(
    kind: str, content: dict[str, Any], fresh_s: float, stale_s: float
) -> None:
    state = state_after((100.0, event(kind, gpu=0, **content)))
    assert state.fresh(state.gpus[0], kind, 100 + fresh_s) is not None
    assert state.fresh(state.gpus[0], kind, 100 + stale_s) is None


def test_host_and_groups_grow_old_too() -> None:
    state = state_after(
        (0.0, event("host", v={"host_cpus": 2})), (0.0, event("process_groups", groups={"a": {}}))
    )
    assert (state.host(2.9), state.groups(2.9)) == ({"host_cpus": 2}, {"a": {}})
    assert (state.host(3.1), state.groups(3.1)) == (None, {})


def test_a_fault_ends_the_values_at_once_and_counters_survive_it() -> None:
    state = state_after(
        (0.0, sample(0.0, gpu_utilization_ratio=1.0)),
        (0.05, sample(0.05, gpu_utilization_ratio=1.0)),
        (0.06, event("gpu_fault", gpu=0, call="f", code=15)),
    )
    gpu = state.gpus[0]
    assert not state.up(gpu, 0.06)
    # The first sample after a fault has no predecessor: the time between is not credited.
    state.apply(sample(30.0, gpu_utilization_ratio=1.0), 30.0)
    assert state.up(gpu, 30.0)
    assert (gpu.busy_s, gpu.samples) == (pytest.approx(0.05), 3)


def test_gpus_are_known_from_the_count_and_never_forgotten() -> None:
    ok = event("nvml", state="ok", count=2, driver_version="570", period_s=0.05)
    state = state_after((0.0, ok), (1.0, event("nvml", state="no_driver", call="nvmlInit", code=9)))
    assert sorted(state.gpus) == [0, 1]
    assert state.errors == {(None, "nvmlInit", 9): 1}


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (policy.NOT_SUPPORTED, Verdict.DISABLE),
        (policy.NO_PERMISSION, Verdict.DISABLE),
        (policy.FUNCTION_NOT_FOUND, Verdict.DISABLE),
        (policy.GPU_IS_LOST, Verdict.DROP),
        (policy.UNINITIALIZED, Verdict.DROP),
        (policy.RESET_REQUIRED, Verdict.DROP),
        (policy.UNKNOWN, Verdict.DROP),
        (policy.TIMEOUT, Verdict.SKIP),
        (policy.NOT_FOUND, Verdict.SKIP),
        (23, Verdict.SKIP),
    ],
)
def test_each_code_has_its_verdict(code: int, verdict: Verdict) -> None:
    assert policy.verdict(code) is verdict


def test_pauses_double_up_to_the_longest_until_something_goes_well() -> None:
    backoff = Backoff(0.1, 0.5)
    assert [backoff.pause_s() for _ in range(4)] == pytest.approx([0.1, 0.2, 0.4, 0.5])
    backoff.reset()
    assert backoff.pause_s() == 0.1


def test_a_fault_that_repeats_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    announcer = Announcer()
    lost = event("gpu_fault", gpu=1, call="nvmlDeviceGetHandleByIndex", code=15)
    for row in (lost, lost, sample(0.0, gpu=1), sample(0.1, gpu=1), lost):
        announcer.hear(row)
    lost_line = "GPU 1 gives no values: the GPU is lost (nvmlDeviceGetHandleByIndex: 15)"
    assert [record.message for record in caplog.records] == [lost_line, "GPU 1 is back", lost_line]
