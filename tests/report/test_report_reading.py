"""Run directories that are damaged, partial, or no run at all."""

import json
from pathlib import Path

import pytest
from reporting import summary_of
from synthetic_run import Recipe, Run, make, write

from glm_locust.cli import main
from glm_locust.errors import ConfigError
from glm_locust.records import encode_line
from glm_locust.report import write_report


@pytest.fixture
def run() -> Run:
    return make(Recipe(paths=("api", "web"), tasks=("ocr",), repeats=6))


def test_a_run_without_its_footer_is_partial(run: Run, tmp_path: Path) -> None:
    write_report(write(run, tmp_path, footer=False))
    facts = summary_of(tmp_path)["run"]
    assert (facts["partial"], facts["reason"]) == (True, "no_footer")
    assert facts["ended"] is not None
    for name in ("summary.md", "report.html"):
        assert "Partial run" in (tmp_path / name).read_text()


def test_a_last_line_that_was_cut_off_is_left_out_and_said(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path, footer=False)
    path = tmp_path / "run.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    write_report(tmp_path)
    summary = summary_of(tmp_path)
    assert summary["quality"]["cut_off"]
    assert summary["quality"]["unreadable_lines"] == 1
    assert (
        sum(summary["counts"][outcome] for outcome in ("ok", "failed", "cancelled")) == len(run.records) - 1
    )
    assert "the last line was cut off" in (tmp_path / "summary.md").read_text()


def test_a_bad_line_in_the_middle_is_left_out_and_its_number_said(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path)
    path = tmp_path / "run.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b'{"line": "request", "seq": "many"}\n'
    path.write_bytes(b"".join([*lines[:5], b"\n", lines[0], *lines[5:]]))
    write_report(tmp_path)
    quality = summary_of(tmp_path)["quality"]
    assert quality["unreadable_lines"] == 2, "the bad line and the second header; empty lines are nothing"
    assert not quality["cut_off"]
    assert "line 4" in (tmp_path / "report.html").read_text()


def test_a_truth_log_with_bad_lines_still_explains_the_others(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path)
    path = tmp_path / "truth.jsonl"
    path.write_bytes(path.read_bytes() + b'{"received_ns": 1, "half')
    write_report(tmp_path)
    layers = summary_of(tmp_path)["layers"]
    assert layers["bad_lines"] == 1
    assert layers["joined"] == 12


def no_run_file(path: Path) -> Path:
    path.mkdir()
    return path


def empty_file(path: Path) -> Path:
    path.mkdir()
    (path / "run.jsonl").touch()
    return path


def no_header(path: Path) -> Path:
    path.mkdir()
    (path / "run.jsonl").write_bytes(encode_line(make(Recipe(repeats=1)).records[0]))
    return path


def of_a_later_version(path: Path) -> Path:
    path.mkdir()
    header = {"line": "header", "codec_version": 99, "run_id": "r", "started_ns": 1, "command": []}
    (path / "run.jsonl").write_text(json.dumps(header) + "\n")
    return path


def a_file(path: Path) -> Path:
    path.touch()
    return path


def a_directory_named_so(path: Path) -> Path:
    (path / "run.jsonl").mkdir(parents=True)
    return path


NOT_RUNS = {
    "nothing there": (lambda path: path, "expected a run directory, found nothing of that name"),
    "a file": (a_file, "expected a run directory, found a file"),
    "an empty directory": (no_run_file, "not a run directory, it holds no run.jsonl"),
    "an empty run.jsonl": (empty_file, "line 1: expected the header of a run"),
    "a run.jsonl without header": (no_header, "line 1: expected the header of a run"),
    "a run.jsonl of a later version": (of_a_later_version, "written by a later version of glm-locust"),
    "a directory called run.jsonl": (a_directory_named_so, "cannot be read: Is a directory"),
}


@pytest.mark.parametrize("case", NOT_RUNS)
def test_what_is_no_run_is_one_line_and_64(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, message = NOT_RUNS[case]
    path = prepare(tmp_path / "given")
    with pytest.raises(ConfigError, match=message):
        write_report(path)
    assert main(["report", str(path)]) == 64
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_unknown_language_is_one_line_and_64(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run, tmp_path)
    assert main(["report", str(tmp_path), "--lang", "tlh"]) == 64
    assert "lang: expected one of en" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_files_that_cannot_be_written_are_one_line_and_64(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run, tmp_path)
    (tmp_path / "summary.json").mkdir()
    assert main(["report", str(tmp_path)]) == 64
    assert "summary.json: cannot be written: Is a directory" in capsys.readouterr().err
    assert not list(tmp_path.glob(".summary.json*")), "nothing half-written stays"


def test_the_command_writes_the_report_and_says_where(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(run, tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    for name in ("summary.json", "summary.md", "report.html"):
        assert (tmp_path / name).stat().st_size > 1000


def test_a_footer_beside_the_run_counts(run: Run, tmp_path: Path) -> None:
    write(run, tmp_path)
    path = tmp_path / "run.jsonl"
    *lines, footer = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines))
    (tmp_path / "footer.jsonl").write_bytes(footer)
    write_report(tmp_path)
    assert summary_of(tmp_path)["run"]["partial"] is False
