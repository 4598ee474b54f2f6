"""Objectives in a running test: heard record by record, turned into the exit code, told at the end.

The exit code does not depend on the report, which may fail: both judge the same records.
"""

import importlib
from pathlib import Path

from glm_locust.config import Scenario
from glm_locust.errors import ExitCode, one_line
from glm_locust.plugin.guard import say
from glm_locust.records import RequestRecord
from glm_locust.slo import Judge, overall, parse

GRAVEST_FIRST = (
    ExitCode.USAGE,
    ExitCode.INVALID,
    ExitCode.SLO_NOT_MET,
    ExitCode.INTERRUPTED,
    ExitCode.PASS,
)


def graver(code: ExitCode, other: ExitCode | None) -> ExitCode:
    """Which of two codes a process ends with; None: there is no other."""
    return code if other is None else min(code, other, key=GRAVEST_FIRST.index)


class RunJudge:
    """A sink of the run that judges its objectives."""

    def __init__(self, scenario: Scenario) -> None:
        self._judge = Judge([parse(text) for text in scenario.slo])

    def accept(self, record: RequestRecord) -> None:
        """Take one record."""
        self._judge.hear(record)

    @property
    def exit_code(self) -> ExitCode | None:
        """What the objectives ask for; None where there are none."""
        verdicts = self._judge.verdicts()
        return overall(verdicts).exit_code if verdicts else None


def write_report(run_dir: Path, lang: str, *, junit: str | None, allow_lost_workers: bool) -> None:
    """Write the report of a finished run and tell its verdicts.

    A failure is one line and leaves the run as it is.
    """
    try:
        module = importlib.import_module("glm_locust.report")  # slow: numpy and Plotly
        report = module.write_report(
            run_dir, lang, junit=Path(junit) if junit else None, allow_lost_workers=allow_lost_workers
        )
        for line in report.lines:
            say(one_line(line))
    except Exception as error:  # noqa: BLE001 - the run is safe, the report can be made again
        say(f"no report of {run_dir}: {type(error).__name__}: {one_line(str(error))}")
