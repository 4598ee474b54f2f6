"""What workers tell of themselves once a second, and what the master makes of it."""

from pathlib import Path
from typing import Any

import gevent
import pytest

from glm_locust.delivery.pulse import PulseTaker
from glm_locust.records import Ended, Measurement, Outcome, Output, Phase, TextKind
from glm_locust.run import Pulses
from glm_locust.run.pulses import STALE_NS
from glm_locust.transport.messages import InFlight, Pulse, unpack
from tests.delivery.rig import RUN, WORKER, Rig

SECOND = 1_000_000_000
START = 100 * SECOND


def measurement(task: str = "ocr", *, level: int | None = 4, scheduled_ns: int = START) -> Measurement:
    return Measurement(
        path="api",
        task=task,
        phase=Phase.MEASURE,
        prompt_id="p",
        scheduled_ns=scheduled_ns,
        level=level,
    )


def end(one: Measurement, at_ns: int) -> Any:
    one.signal(Ended(Outcome.OK), at_ns)
    return one.seal(run_id=RUN, worker_id=WORKER, seq=1)


def test_a_pulse_counts_what_is_in_flight_by_kind() -> None:
    taker = PulseTaker(RUN, START)
    flying = [measurement(), measurement(), measurement("chart"), measurement("chart", level=None)]
    pulse = taker.take(flying, START + SECOND, 1.0)
    assert pulse.in_flight == (
        InFlight(path="api", task="ocr", level=4, count=2),
        InFlight(path="api", task="chart", level=4, count=1),
        InFlight(path="api", task="chart", level=None, count=1),
    )
    assert unpack(Pulse, pulse.pack()) == pulse


def test_lags_are_the_largest_since_the_last_pulse_and_told_once() -> None:
    taker = PulseTaker(RUN, START)
    flying, done = measurement(), measurement()
    flying.submitted(START + SECOND // 100)
    flying.signal(Output("answer", TextKind.ANSWER, 3), START + SECOND // 2, lag_us=700)
    flying.signal(Output("answer", TextKind.ANSWER, 3), START + SECOND // 2 + 1, lag_us=9000)
    done.submitted(START + SECOND // 50)
    done.signal(Output("answer", TextKind.ANSWER, 3), START + SECOND // 4, lag_us=300)
    taker.finished(end(done, START + SECOND // 3))
    pulse = taker.take([flying], START + SECOND, 1.0)
    assert pulse.send_lag_s == pytest.approx(0.02)
    assert pulse.generator_lag_s == pytest.approx(0.0007)
    taker.finished(end(flying, START + SECOND + 1))
    later = taker.take([], START + 2 * SECOND, 1.0)
    assert (later.send_lag_s, later.generator_lag_s, later.in_flight) == (None, None, ())


def test_without_kernel_stamps_there_is_no_generator_lag() -> None:
    taker = PulseTaker(RUN, START)
    one = measurement()
    one.submitted(START + 1)
    one.signal(Output("answer", TextKind.ANSWER, 3), START + 2)
    assert taker.take([one], START + SECOND, 1.0).generator_lag_s is None


def test_the_cpu_share_is_of_the_time_between_two_pulses() -> None:
    taker = PulseTaker(RUN, START)
    assert taker.take([], START + SECOND, 7.0).cpu_ratio is None
    assert taker.take([], START + 3 * SECOND, 8.0).cpu_ratio == pytest.approx(0.5)


def pulse(count: int = 1, *, run_id: str = RUN) -> Pulse:
    return Pulse(run_id=run_id, in_flight=(InFlight(path="api", task="ocr", level=2, count=count),))


def test_the_newest_pulse_of_each_worker_counts_until_it_is_stale() -> None:
    pulses = Pulses()
    pulses.take("w1", pulse(1), START)
    pulses.take("w1", pulse(3), START + SECOND)
    pulses.take("w2", pulse(5), START + 2 * SECOND)
    at_ns = START + 3 * SECOND
    assert {worker: fresh.age_s for worker, fresh in pulses.fresh(at_ns).items()} == {"w1": 2.0, "w2": 1.0}
    assert pulses.in_flight(at_ns) == {("api", "ocr", 2): 8}
    assert pulses.in_flight(at_ns).total() == 8
    assert list(pulses.fresh(START + SECOND + STALE_NS + 1)) == ["w2"]
    pulses.drop("w2")
    assert not pulses.in_flight(at_ns + STALE_NS)


def test_from_a_recorder_to_its_run(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.channel.on(Pulse.KIND, lambda worker, data: rig.run.feel(worker, unpack(Pulse, data), START))

    def beat(told: Pulse) -> None:
        rig.channel.send(told.KIND, told.pack())
        gevent.sleep(0)

    beat(pulse())
    assert not rig.run.pulses.fresh(START), "it has not joined yet"
    rig.run.expect(WORKER)
    beat(pulse(run_id="another"))
    assert not rig.run.pulses.fresh(START)
    one = rig.begin()
    beat(rig.recorder.pulse(0.0))
    assert rig.run.pulses.in_flight(START) == {("api", "ocr", None): 1}
    rig.recorder.finish(one)
    assert rig.recorder.drain(5)
    assert rig.recorder.leave({})
    assert not rig.run.pulses.fresh(START), "it is done"
