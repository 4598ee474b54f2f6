"""From a run directory to the three files of its report."""

import os
from dataclasses import dataclass
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.records import RequestRecord
from glm_locust.report.analysis import Analysis, analyse
from glm_locust.report.catalogue import catalogue
from glm_locust.report.composition import compose
from glm_locust.report.html import html
from glm_locust.report.markdown import markdown
from glm_locust.report.reading import read_run, read_truth
from glm_locust.report.sampling import Requests, read_sampled, was_sampled
from glm_locust.report.summary_json import summary_json
from glm_locust.report.tally import Tally
from glm_locust.samples.windows import WINDOWS_NAME, write_windows


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the report was written."""

    summary_json: Path
    summary_md: Path
    html: Path


def analyse_run(run_dir: Path) -> Analysis:
    """Read a run directory and compute everything; raises ConfigError where it holds no run."""
    tally = Tally()
    if not was_sampled(run_dir):
        ends = read_run(run_dir, tally.add)
        return analyse(tally, ends, read_truth(run_dir))
    requests = Requests()

    def admit(record: RequestRecord) -> None:
        tally.add(record)
        requests.add(record)

    ends = read_run(run_dir, admit)
    return analyse(tally, ends, read_truth(run_dir), read_sampled(run_dir, requests, ends))


def write_report(run_dir: Path, lang: str = "en") -> ReportPaths:
    """Rebuild summary.json, summary.md and report.html from run.jsonl, windows.jsonl.gz from samples too.

    Raises ConfigError for a directory that holds no run, an unknown language, or files that cannot
    be written. A report that was there is replaced whole or not at all, file by file.
    """
    words = catalogue(lang)
    analysis = analyse_run(run_dir)
    document = compose(analysis, words)
    paths = ReportPaths(run_dir / "summary.json", run_dir / "summary.md", run_dir / "report.html")
    if analysis.sampled is not None:
        windows = run_dir / WINDOWS_NAME
        try:
            write_windows(analysis.sampled.joined, windows)
        except OSError as error:
            raise ConfigError(f"{windows}: cannot be written: {error.strerror}") from None
    _write(paths.summary_json, summary_json(analysis, words))
    _write(paths.summary_md, markdown(document))
    _write(paths.html, html(document))
    return paths


def _write(path: Path, content: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # What a server said may hold halves of characters; they must not stop the report.
        unfinished.write_text(content, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
