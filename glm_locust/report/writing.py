"""From a run directory to the files of its report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.records import RequestRecord
from glm_locust.report.analysis import Analysis, analyse
from glm_locust.report.catalogue import catalogue
from glm_locust.report.composition import compose
from glm_locust.report.files import write_whole
from glm_locust.report.html import html
from glm_locust.report.judgement import Judgement, judgement_of, objectives_of
from glm_locust.report.junit import junit_xml
from glm_locust.report.markdown import markdown
from glm_locust.report.reading import read_header, read_run, read_truth
from glm_locust.report.sampling import Requests, read_sampled, was_sampled
from glm_locust.report.sections.objectives import verdict_lines
from glm_locust.report.summary_json import summary_json
from glm_locust.report.tally import Tally
from glm_locust.samples.windows import WINDOWS_NAME, write_windows
from glm_locust.slo import Judge, Objective


@dataclass(frozen=True, slots=True)
class Report:
    """Where the report was written, and what it says of the objectives."""

    summary_json: Path
    summary_md: Path
    html: Path
    judgement: Judgement | None
    lines: tuple[str, ...]
    """The verdicts, one a line, for a terminal."""


def analyse_run(
    run_dir: Path, objectives: Sequence[Objective] | None = None, *, allow_lost_workers: bool = False
) -> Analysis:
    """Read a run directory and compute everything; raises ConfigError where it holds no run.

    Without `objectives` the run is judged by its own.
    """
    tally = Tally()
    sampled = was_sampled(run_dir)
    requests = Requests()
    unreadable: tuple[str, ...] = ()
    if objectives is None:
        objectives, unreadable = objectives_of(read_header(run_dir).slo)
    judge = Judge(objectives)

    def admit(record: RequestRecord) -> None:
        if tally.add(record):
            judge.hear(record)
        if sampled:
            requests.add(record)

    ends = read_run(run_dir, admit)
    readings = read_sampled(run_dir, requests, ends) if sampled else None
    analysis = analyse(tally, ends, read_truth(run_dir), readings)
    judgement = judgement_of(
        judge, analysis.quality, ends, unreadable=unreadable, allow_lost_workers=allow_lost_workers
    )
    return replace(analysis, judgement=judgement)


def write_report(
    run_dir: Path,
    lang: str = "en",
    *,
    objectives: Sequence[Objective] | None = None,
    junit: Path | None = None,
    allow_lost_workers: bool = False,
) -> Report:
    """Rebuild summary.json, summary.md and report.html from run.jsonl, windows.jsonl.gz from samples too.

    Without `objectives` the run is judged by its own; `junit` is a file to tell the verdicts in.
    Raises ConfigError for a directory that holds no run, an unknown language, or files that cannot
    be written. A report that was there is replaced whole or not at all, file by file.
    """
    words = catalogue(lang)
    analysis = analyse_run(run_dir, objectives, allow_lost_workers=allow_lost_workers)
    document = compose(analysis, words)
    judgement = analysis.judgement
    paths = Report(
        run_dir / "summary.json",
        run_dir / "summary.md",
        run_dir / "report.html",
        judgement,
        verdict_lines(judgement, words) if judgement else (),
    )
    if junit is not None:
        write_whole(junit, junit_xml(analysis, words))
    if analysis.sampled is not None:
        windows = run_dir / WINDOWS_NAME
        try:
            write_windows(analysis.sampled.joined, windows)
        except OSError as error:
            raise ConfigError(f"{windows}: cannot be written: {error.strerror}") from None
    write_whole(paths.summary_json, summary_json(analysis, words))
    write_whole(paths.summary_md, markdown(document))
    write_whole(paths.html, html(document))
    return paths
