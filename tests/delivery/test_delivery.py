"""Every finished request is in the run exactly once, whatever the channel does to messages."""

import tempfile
from pathlib import Path

import gevent
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.delivery import Recorder, enroll, recorder_of
from glm_locust.errors import ConfigError, LocalProtocolError
from glm_locust.records import ErrorKind, Outcome, RequestRecord, RunHeader, decode_line
from glm_locust.run import Run
from glm_locust.transport.messages import Batch, Hello
from tests.delivery.rig import RUN, WORKER, LossyChannel, Rig
from tests.limits import no_file_larger_than


@settings(max_examples=25, deadline=None)
@given(
    copies=st.lists(st.sampled_from([0, 1, 1, 1, 2]), max_size=30),
    bursts=st.lists(st.integers(min_value=0, max_value=20), min_size=1, max_size=4),
)
def test_lost_and_doubled_messages(copies: list[int], bursts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        rig = Rig(Path(directory), LossyChannel(lambda n: copies[n] if n < len(copies) else 1))
        for burst in bursts:
            for _ in range(burst):
                rig.ask()
            gevent.idle()
        assert rig.recorder.drain(0)
        assert rig.recorder.leave({})
        total = sum(bursts)
        assert rig.seen.seqs == list(range(1, total + 1))
        assert rig.run.counts == {"ok": total, "failed": 0, "cancelled": 0}
        assert rig.run.outstanding() == ()
        assert rig.run.lost_workers == ()
        assert not rig.spool.path.exists(), "what was delivered needs no spool"


def test_a_record_is_in_the_spool_before_finish_returns(tmp_path: Path) -> None:
    channel = LossyChannel(lambda n: 0)
    rig = Rig(tmp_path, channel, grace_s=0.1)
    for seq in (1, 2, 3):
        record = rig.ask(f"question {seq}")
        lines = rig.spool.path.read_bytes().splitlines()
        assert len(lines) == seq
        assert decode_line(lines[-1]) == record
    assert not rig.recorder.drain(0)
    assert not rig.recorder.leave({})
    assert len(rig.spool.path.read_bytes().splitlines()) == 3, "undelivered: the spool stays"
    assert rig.run.outstanding() == ()


def test_a_broken_connection_costs_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.channel.broken = True
    rig.ask()
    gevent.sleep(0)
    rig.channel.broken = False
    assert rig.recorder.drain(0)
    assert rig.seen.seqs == [1]


def test_long_lines_travel_in_several_batches(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for _ in range(300):
        measurement = rig.begin()
        measurement.submitted(1)
        measurement.fail(ErrorKind.SERVER_ERROR, "x" * 10_000, 2)
        rig.recorder.finish(measurement)
    assert rig.recorder.drain(0)
    assert rig.seen.seqs == list(range(1, 301))
    assert rig.channel.sent.count(Batch.KIND) > 1
    assert rig.run.counts["failed"] == 300


def test_drain_waits_for_requests_in_flight(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    measurement = rig.begin()
    assert rig.recorder.in_flight == 1
    drained = gevent.spawn(rig.recorder.drain, 30.0)
    gevent.idle()
    assert rig.recorder.closing
    assert not drained.ready()
    measurement.submitted(1)
    measurement.fail(ErrorKind.EMPTY, "", 2)
    rig.recorder.finish(measurement)
    assert drained.get(timeout=10) is True
    assert [record.outcome for record in rig.seen.records] == [Outcome.FAILED]


def test_drain_cancels_what_takes_too_long(tmp_path: Path) -> None:
    rig = Rig(tmp_path)

    def user() -> None:
        measurement = rig.begin()
        try:
            gevent.sleep(1000)
        finally:
            rig.recorder.finish(measurement)

    users = [gevent.spawn(user) for _ in range(3)]
    gevent.idle()
    assert rig.recorder.drain(0.01)
    gevent.joinall(users, timeout=5, raise_error=True)
    assert rig.run.counts == {"ok": 0, "failed": 0, "cancelled": 3}
    assert {record.error_kind for record in rig.seen.records} == {ErrorKind.RUN_ENDED}


def test_nothing_begins_after_the_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.recorder.drain(0)
    with pytest.raises(LocalProtocolError):
        rig.begin()


def test_a_worker_of_another_run_is_refused(tmp_path: Path) -> None:
    rig = Rig(tmp_path, run_id="run-2", grace_s=0.2)
    rig.ask()
    assert not rig.recorder.drain(0)
    assert rig.seen.records == []
    assert rig.run.workers == {}
    assert "run-2" in rig.run.notes[0]


def test_in_flight_is_counted_at_the_send(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    measurements = [rig.begin() for _ in range(3)]
    records: list[RequestRecord] = []
    for measurement in measurements:
        measurement.fail(ErrorKind.CONNECT, "", 1)
        records.append(rig.recorder.finish(measurement))
    assert [record.in_flight_at_send for record in records] == [1, 2, 3]
    assert rig.recorder.in_flight == 0


def test_without_the_plugin_the_message_says_what_to_do() -> None:
    class Environment:
        pass

    with pytest.raises(ConfigError, match=r"plugin\.install"):
        recorder_of(Environment())


def test_the_recorder_of_an_environment(tmp_path: Path) -> None:
    class Environment:
        pass

    environment = Environment()
    rig = Rig(tmp_path)
    enroll(environment, rig.recorder)
    assert isinstance(recorder_of(environment), Recorder)
    assert recorder_of(environment) is rig.recorder


def test_a_full_spool_still_delivers(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.ask()
    with no_file_larger_than(rig.spool.path.stat().st_size + 10):
        rig.ask()
    assert rig.recorder.drain(0)
    assert rig.seen.seqs == [1, 2]
    assert rig.recorder.leave({})
    assert "spool_error" in rig.run.workers[WORKER].facts


def batch_of(rig: Rig, tmp_path: Path, count: int) -> bytes:
    for _ in range(count):
        rig.ask()
    return rig.spool.path.read_bytes()


def test_what_a_run_admits(tmp_path: Path) -> None:
    lines = batch_of(Rig(tmp_path / "made", LossyChannel(lambda n: 0)), tmp_path, 4).splitlines(keepends=True)
    run = Run(RunHeader(run_id=RUN, started_ns=1, command=()), tmp_path / "run")

    def admitted(first: int, last: int, worker: str = WORKER, run_id: str = RUN) -> int | None:
        data = b"".join(lines[first - 1 : last])
        ack = run.admit(worker, Batch(run_id=run_id, first_seq=first, lines=data))
        return None if ack is None else ack.seq

    assert admitted(1, 2) is None, "a worker that has not joined"
    assert run.join(WORKER, Hello(run_id="other")) is None, "a worker of another run"
    joined = run.join(WORKER, Hello(run_id=RUN))
    assert joined is not None
    assert joined.seq == 0
    assert admitted(1, 2) == 2, "in sequence"
    assert admitted(1, 2) == 2, "the same again"
    assert admitted(4, 4) == 2, "after a gap"
    assert admitted(2, 3) == 3, "one old, one new"
    assert admitted(1, 1, run_id="other") is None, "of another run"
    assert run.admit(WORKER, Batch(run_id=RUN, first_seq=4, lines=b"{}\n")) is None, "no record"
    assert run.admit(WORKER, Batch(run_id=RUN, first_seq=4, lines=lines[0])) is None, "not its number"
    assert admitted(4, 4) == 4
    assert run.counts["ok"] == 4
