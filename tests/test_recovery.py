"""Recovery puts each record into the run once, from any mixture of files and damage."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.errors import ConfigError
from glm_locust.records import (
    Outcome,
    Phase,
    RequestRecord,
    RunFooter,
    RunHeader,
    decode_line,
    encode_line,
)
from glm_locust.run.recovery import recover

HEADER = RunHeader(run_id="r", started_ns=1, command=())


def record(worker: str, seq: int, run_id: str = "r") -> RequestRecord:
    return RequestRecord(
        run_id=run_id,
        worker_id=worker,
        seq=seq,
        path="api",
        task="ocr",
        phase=Phase.MEASURE,
        prompt_id=f"{worker}{seq}",
        scheduled_ns=seq,
        finished_ns=100 + seq,
        outcome=Outcome.OK,
    )


def write(path: Path, *lines: RunHeader | RequestRecord | RunFooter, tail: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(encode_line, lines)) + tail)
    return path


def contents(run_dir: Path) -> tuple[list[RequestRecord], RunFooter]:
    lines = [decode_line(line) for line in (run_dir / "run.jsonl").read_bytes().splitlines()]
    footer = lines[-1]
    assert lines[0] == HEADER
    assert isinstance(footer, RunFooter)
    records = [line for line in lines if isinstance(line, RequestRecord)]
    assert len(records) == len(lines) - 2
    return records, footer


parts = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),  # delivered, spooled
    max_size=3,
)


@settings(max_examples=40, deadline=None)
@given(parts=parts, cut=st.booleans())
def test_delivered_and_spooled_overlap_in_any_way(parts: dict[str, tuple[int, int]], cut: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        run_dir = Path(directory)
        tail = encode_line(record("z", 1))[:-10] if cut else b""
        delivered = [record(w, seq) for w, (count, _) in parts.items() for seq in range(1, count + 1)]
        write(run_dir / "run.jsonl", HEADER, *delivered, tail=tail)
        for worker, (_, spooled) in parts.items():
            lines = [record(worker, seq) for seq in range(1, spooled + 1)]
            write(run_dir / "spool" / f"{worker}.jsonl", *lines, tail=tail)
        recover(run_dir)
        records, footer = contents(run_dir)
        expected = {(w, seq) for w, counts in parts.items() for seq in range(1, max(counts) + 1)}
        assert Counter((r.worker_id, r.seq) for r in records) == Counter(expected)
        assert footer.counts == {"ok": len(expected), "failed": 0, "cancelled": 0}
        assert (footer.reason, footer.partial) == ("crashed", True)
        assert not any(account["lost"] for account in footer.workers.values())
        assert any("cut off" in note for note in footer.notes) == cut


def test_a_whole_run_stays_as_it_is(tmp_path: Path) -> None:
    footer = RunFooter(run_id="r", ended_ns=2, reason="completed", counts={"ok": 1})
    path = write(tmp_path / "run.jsonl", HEADER, record("a", 1), footer)
    before = path.read_bytes()
    found = recover(tmp_path)
    assert (found.changed, found.kept, found.recovered) == (False, 1, 0)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.jsonl"]


def test_the_spool_of_a_lost_worker_completes_a_finished_run(tmp_path: Path) -> None:
    footer = RunFooter(
        run_id="r",
        ended_ns=200,
        reason="run_time",
        counts={"ok": 1},
        workers={"a": {"records": 1, "lost": True, "host": "h"}, "b": {"records": 0, "lost": True}},
        locust_requests=1,
    )
    write(tmp_path / "run.jsonl", HEADER, record("a", 1), footer)
    spool = write(tmp_path / "elsewhere" / "a.jsonl", record("a", 1), record("a", 2), record("a", 3, "other"))
    found = recover(tmp_path, [spool])
    records, after = contents(tmp_path)
    assert (found.changed, found.recovered) == (True, 1)
    assert [r.seq for r in records] == [1, 2]
    assert after.reason == "run_time"
    assert after.workers["a"] == {"records": 2, "lost": False, "host": "h"}
    assert after.workers["b"]["lost"], "its spool was not given"
    assert after.locust_requests == 1


def test_a_gap_is_named(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", HEADER, record("a", 1), record("a", 4))
    recover(tmp_path)
    _, footer = contents(tmp_path)
    assert footer.workers["a"]["lost"]
    assert "2 records of worker a are missing" in footer.notes


BAD = [
    ("no directory", lambda path: path / "none", [], "holds no run.jsonl"),
    ("no header", lambda path: write(path / "run.jsonl", record("a", 1)).parent, [], "header"),
    ("no spool", lambda path: write(path / "run.jsonl", HEADER).parent, ["none"], "spool"),
]


@pytest.mark.parametrize(("make", "spools", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_cannot_be_recovered(tmp_path: Path, make, spools: list[str], message: str) -> None:
    run_dir = make(tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ConfigError, match=message):
        recover(run_dir, [tmp_path / spool for spool in spools])
    assert sorted(path.name for path in tmp_path.iterdir()) == before
