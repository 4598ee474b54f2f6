"""Files of a run hold whole lines, whatever happens to the disk."""

import os
import stat
from pathlib import Path

import pytest

from glm_locust.errors import ConfigError
from glm_locust.records import RunFooter, RunHeader, decode_line
from glm_locust.sinks import (
    FOOTER_FILE,
    RESERVE_FILE,
    RUN_FILE,
    JsonlSink,
    LineFile,
    SinkError,
    check_directory,
    lines_of_run,
)
from tests.limits import no_file_larger_than

HEADER = RunHeader(run_id="r", started_ns=1, command=("locust",))
FOOTER = RunFooter(run_id="r", ended_ns=2, reason="completed")


def test_a_run_from_header_to_footer(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "runs" / "r", HEADER)
    sink.write(b'{"a":1}\n{"a":2}\n')
    sink.close(FOOTER)
    lines = list(lines_of_run(tmp_path / "runs" / "r"))
    assert decode_line(lines[0]) == HEADER
    assert lines[1:3] == [b'{"a":1}\n', b'{"a":2}\n']
    assert decode_line(lines[3]) == FOOTER
    assert [path.name for path in (tmp_path / "runs" / "r").iterdir()] == [RUN_FILE]


def test_lines_that_do_not_fit_leave_no_trace(tmp_path: Path) -> None:
    with LineFile(tmp_path / "f", new=True) as file:
        file.append(b"one\n")
        with no_file_larger_than(10), pytest.raises(SinkError, match="File too large"):
            file.append(b"a line that is too long\n")
        assert (tmp_path / "f").read_bytes() == b"one\n"
        assert file.size == 4
        file.append(b"two\n")
    assert (tmp_path / "f").read_bytes() == b"one\ntwo\n"


def test_a_footer_that_does_not_fit_stands_beside(tmp_path: Path) -> None:
    run_dir = tmp_path / "r"
    sink = JsonlSink(run_dir, HEADER)
    lines = b'{"a":1}\n' * 200
    sink.write(lines)
    size = (run_dir / RUN_FILE).stat().st_size
    with no_file_larger_than(size + 1):
        with pytest.raises(SinkError):
            sink.write(b'{"a":2}\n')
        sink.close(FOOTER)
    assert (run_dir / RUN_FILE).stat().st_size == size
    assert decode_line((run_dir / FOOTER_FILE).read_bytes()) == FOOTER
    assert not (run_dir / RESERVE_FILE).exists()
    assert decode_line(list(lines_of_run(run_dir))[-1]) == FOOTER


def test_space_is_kept_for_the_footer(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "r", HEADER)
    kept = os.stat(tmp_path / "r" / RESERVE_FILE)
    assert kept.st_blocks * 512 >= len(FOOTER.reason) + 4096, "blocks are taken, not only a size"
    sink.close(FOOTER)
    assert not (tmp_path / "r" / RESERVE_FILE).exists()


def test_a_run_never_writes_into_another(tmp_path: Path) -> None:
    JsonlSink(tmp_path / "r", HEADER).close(FOOTER)
    with pytest.raises(SinkError, match="File exists"):
        JsonlSink(tmp_path / "r", HEADER)


def test_files_are_readable_by_others_and_writable_by_the_owner(tmp_path: Path) -> None:
    JsonlSink(tmp_path / "r", HEADER).close(FOOTER)
    mode = (tmp_path / "r" / RUN_FILE).stat().st_mode
    assert not mode & (stat.S_IWGRP | stat.S_IWOTH)


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_directory(tmp_path / "new" / "runs")
    assert list((tmp_path / "new" / "runs").iterdir()) == []
    with pytest.raises(ConfigError, match="cannot write"):
        check_directory(tmp_path / "file" / "runs")
