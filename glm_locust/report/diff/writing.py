"""From two run directories to the three files of their comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.regression import SMALLEST_CHANGE, Condition
from glm_locust.report.catalogue import catalogue
from glm_locust.report.diff.diff_json import diff_json
from glm_locust.report.diff.difference import Difference, difference_of
from glm_locust.report.diff.document import compose, decision_lines, sentences
from glm_locust.report.files import write_whole
from glm_locust.report.html import html
from glm_locust.report.markdown import markdown


@dataclass(frozen=True, slots=True)
class DiffReport:
    """Where the comparison was written, and what it says."""

    html: Path
    markdown: Path
    json: Path
    difference: Difference
    lines: tuple[str, ...]
    """What is shown and what became of the conditions, for a terminal."""


def write_diff(
    base: Path,
    new: Path,
    *,
    out: Path | None = None,
    lang: str = "en",
    conditions: Sequence[Condition] = (),
    allow_different_workload: bool = False,
    smallest_change: float = SMALLEST_CHANGE,
) -> DiffReport:
    """Write diff.html, diff.md and diff.json into `out`, or into the new run.

    Raises ConfigError for directories that hold no run, runs that cannot be compared, an unknown language,
    and files that cannot be written.
    """
    words = catalogue(lang)
    difference = difference_of(
        base,
        new,
        conditions,
        allow_different_workload=allow_different_workload,
        smallest_change=smallest_change,
    )
    directory = out or new
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be made: {error.strerror}") from None
    report = DiffReport(
        html=directory / "diff.html",
        markdown=directory / "diff.md",
        json=directory / "diff.json",
        difference=difference,
        lines=(*sentences(difference, words), *decision_lines(difference, words)),
    )
    document = compose(difference, words)
    write_whole(report.json, diff_json(difference, words))
    write_whole(report.markdown, markdown(document))
    write_whole(report.html, html(document))
    return report
