"""The truth log is read back whole, or up to where a kill cut it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.testbed.truth import TruthLog, TruthRecord, read_truth


def record(index: int) -> TruthRecord:
    return TruthRecord(
        prompt_id=f"{index:016x}",
        upstream_id=None,
        received_head_ns=index,
        received_ns=index + 1,
        first_token_ns=None,
        finished_ns=index + 2,
        outcome="aborted",
        status=200,
        prompt_tokens=9,
        output_tokens=0,
        images=0,
        running_at_arrival=0,
        waiting_at_arrival=0,
    )


def test_records_come_back_and_a_second_run_appends(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    for index in range(3):
        with TruthLog(path) as log:
            log.write(record(index))
            assert len(read_truth(path)) == index + 1, "each line is there at once"
    assert read_truth(path) == [record(0), record(1), record(2)]


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_a_cut_last_line_is_left_out(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.jsonl"
    path.unlink(missing_ok=True)
    with TruthLog(path) as log:
        log.write(record(1))
        log.write(record(2))
    data = path.read_bytes()
    first_line = data.index(b"\n") + 1
    end = first_line + cut % (len(data) - first_line + 1)
    path.write_bytes(data[:end])
    whole = end >= len(data) - 1
    assert read_truth(path) == ([record(1), record(2)] if whole else [record(1)])


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(b'{"prompt_id": 1}\n' + msgspec.json.encode(record(1)) + b"\n")
    with pytest.raises(msgspec.ValidationError):
        read_truth(path)
