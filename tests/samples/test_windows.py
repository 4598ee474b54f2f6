"""Readings become series by name, counters become rates, and each request gets its windows."""

import numpy as np
import pytest

from glm_locust.records import Outcome, Phase, RequestRecord
from glm_locust.samples.exposition import plain_values
from glm_locust.samples.readings import readings_of
from glm_locust.samples.store import Clock, Rows, SampleLine, Scrape
from glm_locust.samples.windows import join

S = 1_000_000_000
T0 = 1_790_000_000 * S


def gpu_row(seq: int, at_s: float, **values: float) -> dict[str, object]:
    at_ns = T0 + int(at_s * S)
    return {"seq": seq, "kind": "gpu", "gpu": 0, "t0_ns": at_ns - 10, "t1_ns": at_ns + 10, "v": values}


def host_row(seq: int, at_s: float, cpu_s: float) -> dict[str, object]:
    at_ns = T0 + int(at_s * S)
    values = {"host_cpu_seconds_total": cpu_s, "host_cpus": 4, "host_memory_used_bytes": 2e9}
    return {"seq": seq, "kind": "host", "t0_ns": at_ns, "t1_ns": at_ns, "v": values}


def request(seq: int, submitted_s: float, ttft_s: float, total_s: float, worker: str = "w1") -> RequestRecord:
    at = T0 + int(submitted_s * S)
    return RequestRecord(
        run_id="r",
        worker_id=worker,
        seq=seq,
        path="api",
        task="ocr",
        phase=Phase.MEASURE,
        prompt_id="p",
        scheduled_ns=at,
        sent_ns=at,
        submitted_ns=at,
        first_token_ns=at + int(ttft_s * S),
        finished_ns=at + int(total_s * S),
        outcome=Outcome.OK,
    )


def lines() -> list[SampleLine]:
    gpu = [gpu_row(i, i * 0.1, gpu_utilization_ratio=0.2 if i < 50 else 0.8) for i in range(1, 100)]
    host = [host_row(100 + i, i * 0.2, cpu_s=2.0 * i * 0.2) for i in range(50)]
    return [Rows(source="gpu0", instance="a", rows=(*gpu, *host))]


def test_each_window_has_its_own_mean() -> None:
    joined = join([request(1, 4.0, 0.5, 3.0)], readings_of(lines()))
    assert joined.mean["GPU 0 busy", "ttft"] == pytest.approx([0.2])
    assert joined.mean["GPU 0 busy", "before"] == pytest.approx([0.2])
    # 4.5 s to 7.0 s: the change at sample 50 (t = 5.0, which speaks for 4.9 to 5.0).
    assert joined.mean["GPU 0 busy", "decode"] == pytest.approx([(0.4 * 0.2 + 2.1 * 0.8) / 2.5])
    assert joined.maximum["GPU 0 busy", "decode"] == pytest.approx([0.8])
    assert joined.coverage["GPU 0 busy", "decode"] == pytest.approx([1.0])


def test_a_cpu_counter_becomes_the_share_of_all_cores() -> None:
    joined = join([request(1, 4.0, 0.5, 3.0)], readings_of(lines()))
    assert joined.mean["host CPU", "ttft"] == pytest.approx([2.0 / 4])


def test_a_counter_that_was_reset_is_unknown_over_the_reset() -> None:
    rows = [host_row(1, 0, 10.0), host_row(2, 1, 11.0), host_row(3, 2, 0.5), host_row(4, 3, 1.5)]
    reading = readings_of([Rows(source="g", instance="a", rows=tuple(rows))]).readings["host CPU"]
    assert np.isnan(reading.values[1])
    assert reading.values[[0, 2]] == pytest.approx([0.25, 0.25])


def test_a_page_fetched_twice_counts_once() -> None:
    once = readings_of(lines()).readings["GPU 0 busy"].values
    twice = readings_of(lines() * 2).readings["GPU 0 busy"].values
    assert len(once) == len(twice) == 99


def test_each_worker_is_joined_by_its_own_clock() -> None:
    clocks: list[SampleLine] = [
        Clock(source="gpu0", worker="w1", at_ns=T0, offset_ns=0, bound_ns=1000),
        Clock(source="gpu0", worker="w2", at_ns=T0, offset_ns=3 * S, bound_ns=1000),
    ]
    records = [
        request(1, 5.5, 0.5, 1.0, "w1"),
        request(1, 2.5, 0.5, 1.0, "w2"),
        request(2, 2.5, 0.5, 1.0, "w1"),
    ]
    joined = join(records, readings_of([*clocks, *lines()]))
    assert joined.mean["GPU 0 busy", "ttft"] == pytest.approx([0.8, 0.8, 0.2])


def test_outside_the_samples_nothing_is_known() -> None:
    joined = join([request(1, 60.0, 0.5, 1.0)], readings_of(lines()))
    assert joined.coverage["GPU 0 busy", "ttft"] == pytest.approx([0.0])
    line = next(iter(joined.lines()))
    assert line.readings["GPU 0 busy"]["ttft"] == (None, None, 0.0)


def test_engine_gauges_get_the_same_name_from_every_engine() -> None:
    scrapes = [
        Scrape(
            source="metrics0",
            t0_ns=T0 + i * S // 2,
            t1_ns=T0 + i * S // 2,
            values={'vllm:num_requests_waiting{engine="0",model_name="m"}': float(i)},
        )
        for i in range(10)
    ]
    assert readings_of(scrapes).readings["engine requests waiting"].values == pytest.approx(range(10))


def test_of_an_exposition_buckets_are_left_out() -> None:
    text = (
        "# TYPE vllm:num_requests_waiting gauge\n"
        'vllm:num_requests_waiting{engine="0",model_name="m"} 3.0\n'
        "# TYPE t histogram\n"
        't_bucket{le="1"} 2\nt_bucket{le="+Inf"} 2\nt_sum 1.5\nt_count 2\n'
    )
    assert plain_values(text) == {
        'vllm:num_requests_waiting{engine="0",model_name="m"}': 3.0,
        "t_sum": 1.5,
        "t_count": 2.0,
    }
