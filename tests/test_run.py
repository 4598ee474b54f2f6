"""A run on the master: accounts of workers, counts, a full disk, the footer."""

from pathlib import Path

import pytest

from glm_locust.records import (
    Outcome,
    Phase,
    RequestRecord,
    RunFooter,
    RunHeader,
    decode_line,
    encode_line,
)
from glm_locust.run import Run
from glm_locust.sinks import SinkError, lines_of_run
from glm_locust.transport.messages import Ack, Batch, Drain, Drained, Hello, Message, Refusal, unpack
from tests.limits import no_file_larger_than


def record(seq: int, outcome: Outcome = Outcome.OK, worker: str = "w") -> RequestRecord:
    return RequestRecord(
        run_id="r",
        worker_id=worker,
        seq=seq,
        path="api",
        task="ocr",
        phase=Phase.MEASURE,
        prompt_id="p",
        scheduled_ns=1,
        finished_ns=2,
        outcome=outcome,
    )


def batch(*records: RequestRecord) -> Batch:
    return Batch(run_id="r", first_seq=records[0].seq, lines=b"".join(map(encode_line, records)))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(RunHeader(run_id="r", started_ns=1, command=()), tmp_path / "r")
    run.join("w", Hello(run_id="r", facts={"host": "h"}))
    return run


def close(run: Run) -> RunFooter:
    return run.close(reason="run_time", ended_ns=9, partial=False, locust_requests=2)


def drained(last_seq: int) -> Drained:
    return Drained(run_id="r", last_seq=last_seq)


def test_counts_and_footer(run: Run) -> None:
    run.admit("w", batch(record(1), record(2, Outcome.FAILED), record(3, Outcome.CANCELLED)))
    assert run.outstanding() == ("w",)
    ack = run.release("w", drained(3))
    assert ack == Ack(run_id="r", seq=3, closed=True)
    assert run.outstanding() == ()
    footer = close(run)
    assert footer.counts == {"ok": 1, "failed": 1, "cancelled": 1}
    assert footer.workers == {"w": {"host": "h", "records": 3, "lost": False, "made": 3}}
    assert decode_line(list(lines_of_run(run.run_dir))[-1]) == footer


def test_a_worker_that_made_more_than_it_delivered_is_waited_for(run: Run) -> None:
    run.admit("w", batch(record(1)))
    ack = run.release("w", drained(2))
    assert ack is not None
    assert not ack.closed
    assert run.outstanding() == ("w",)
    run.admit("w", batch(record(2)))
    assert run.outstanding() == ()
    again = run.release("w", drained(2))
    assert again is not None
    assert again.closed


def test_a_lost_worker_is_not_waited_for_and_named(run: Run) -> None:
    run.lose("w", "no heartbeat")
    assert run.outstanding() == ()
    assert run.lost_workers == ("w",)
    footer = close(run)
    assert footer.workers["w"]["lost"]
    assert footer.workers["w"]["why_lost"] == "no heartbeat"


def test_a_worker_that_speaks_again_is_not_lost(run: Run) -> None:
    run.lose("w", "no heartbeat")
    run.admit("w", batch(record(1)))
    run.release("w", drained(1))
    assert run.lost_workers == ()
    run.lose("w", "it left")
    assert run.lost_workers == (), "all that it made is here"


def test_a_worker_that_never_said_hello_is_lost(run: Run) -> None:
    run.expect("silent")
    run.release("w", drained(0))
    assert run.outstanding() == ("silent",)
    assert run.lost_workers == ("silent",)


def test_a_worker_that_refuses_is_not_missed(run: Run) -> None:
    run.expect("refuses")
    run.dismiss("refuses")
    run.dismiss("w")
    assert run.outstanding() == ("w",), "one that takes part cannot leave so"


def test_a_full_disk_ends_the_run_and_keeps_what_was_recorded(run: Run) -> None:
    run.admit("w", batch(record(1)))
    size = (run.run_dir / "run.jsonl").stat().st_size
    with no_file_larger_than(size + 5):
        ack = run.admit("w", batch(record(2)))
        assert ack == Ack(run_id="r", seq=1, full=True)
        assert run.failure is not None
        assert "File too large" in run.failure
        assert "\n" not in run.failure
        run.release("w", drained(2))
        assert run.outstanding() == (), "nothing more can be taken"
        footer = close(run)
    assert (footer.reason, footer.partial) == ("disk_full", True)
    assert footer.counts["ok"] == 1
    assert not footer.workers["w"]["lost"]
    assert run.lost_workers == ("w",), "records are missing all the same"
    lines = list(lines_of_run(run.run_dir))
    assert [type(decode_line(line)) for line in lines] == [RunHeader, RequestRecord, RunFooter]


def test_a_sink_sees_each_record_once(run: Run) -> None:
    seen: list[int] = []

    class Sink:
        def accept(self, record: RequestRecord) -> None:
            seen.append(record.seq)

    run.add_sink(Sink())
    run.admit("w", batch(record(1), record(2)))
    run.admit("w", batch(record(1), record(2), record(3)))
    assert seen == [1, 2, 3]


def test_after_the_footer_nothing_is_admitted(run: Run) -> None:
    close(run)
    ack = run.admit("w", batch(record(1)))
    assert ack is not None
    assert ack.seq == 0


def test_a_directory_that_is_there_is_not_used(run: Run) -> None:
    with pytest.raises(SinkError):
        Run(run.header, run.run_dir)


MESSAGES: list[Message] = [
    Hello(run_id="r", facts={"host": "h", "clock": {"wall_ns": 1}}),
    Batch(run_id="r", first_seq=7, lines=b'{"\xc3\xa4":1}\n'),
    Ack(run_id="r", seq=3, closed=True),
    Drain(run_id="r", timeout_s=1.5),
    Drained(run_id="r", last_seq=2, facts={"cpu_s": 0.1}),
    Refusal(run_id="r", text="no"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.KIND)
def test_messages_survive_msgpack_as_locust_sends_it(message: Message) -> None:
    import msgpack

    data = msgpack.loads(msgpack.dumps(message.pack()), strict_map_key=False)
    assert unpack(type(message), data) == message
