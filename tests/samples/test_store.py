"""Raw samples survive the round trip, and a file cut anywhere keeps what was flushed."""

import gzip
from pathlib import Path

import pytest

from glm_locust.errors import GlmLocustError
from glm_locust.samples.store import (
    SAMPLES_NAME,
    Clock,
    Gap,
    Rows,
    SampleWriter,
    Scrape,
    Source,
    append_clock,
    free_samples_path,
    read_samples,
)

LINES = [
    Source(source="gpu0", kind="exporter", url="http://127.0.0.1:9836", host="node-1"),
    Rows(
        source="gpu0",
        instance="a",
        rows=({"seq": 1, "kind": "gpu", "t0_ns": 1, "t1_ns": 3, "v": {"x": 1.5}},),
    ),
    Scrape(source="metrics0", t0_ns=1, t1_ns=2, values={'vllm:num_requests_waiting{engine="0"}': 3.0}),
    Gap(source="gpu0", at_ns=9, why="connection refused"),
]


def written(tmp_path: Path, *, closed: bool = True) -> Path:
    writer = SampleWriter(tmp_path / SAMPLES_NAME)
    for line in LINES:
        writer.write(line)
        writer.flush()
    if closed:
        writer.close()
    return tmp_path / SAMPLES_NAME


def test_lines_come_back_in_order_after_the_clocks(tmp_path: Path) -> None:
    written(tmp_path)
    clock = Clock(source="gpu0", worker="w1", at_ns=5, offset_ns=-7, bound_ns=2)
    append_clock(tmp_path / "clocks.jsonl", clock)
    assert list(read_samples(tmp_path)) == [clock, *LINES]


def test_a_second_writer_appends(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path)
    assert list(read_samples(tmp_path)) == LINES * 2


def test_what_was_flushed_survives_a_kill(tmp_path: Path) -> None:
    path = written(tmp_path, closed=False)
    assert list(read_samples(tmp_path)) == LINES
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        kept = list(read_samples(tmp_path))
        assert kept == LINES[: len(kept)]


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    (tmp_path / SAMPLES_NAME).write_bytes(gzip.compress(b'{"line": "postcard"}\n'))
    with pytest.raises(GlmLocustError, match="line 1 is not a line of samples"):
        list(read_samples(tmp_path))


def test_no_samples_no_lines(tmp_path: Path) -> None:
    assert list(read_samples(tmp_path)) == []


def test_after_a_kill_another_file_goes_on(tmp_path: Path) -> None:
    first = written(tmp_path, closed=False)
    first.write_bytes(first.read_bytes()[:-3])
    kept = list(read_samples(tmp_path))
    with SampleWriter(free_samples_path(tmp_path)) as writer:
        writer.write(LINES[0])
    assert list(read_samples(tmp_path)) == [*kept, LINES[0]]
    assert {path.name for path in tmp_path.iterdir()} == {SAMPLES_NAME, "samples-2.jsonl.gz"}
