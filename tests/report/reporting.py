"""Writes a synthetic run with its report, and reads that back."""

import json
from pathlib import Path
from typing import Any

from synthetic_run import Recipe, make, write

from glm_locust.report import write_report
from glm_locust.report.catalogue import catalogue
from glm_locust.report.summary_json import summary_json
from glm_locust.report.writing import analyse_run


def reported(directory: Path, recipe: Recipe, *, truth: bool = True, footer: bool = True) -> Path:
    write(make(recipe), directory, truth=truth, footer=footer)
    write_report(directory)
    return directory


def summarised(directory: Path, recipe: Recipe, *, truth: bool = True, footer: bool = True) -> dict[str, Any]:
    """The summary alone, without the time that the pages take."""
    write(make(recipe), directory, truth=truth, footer=footer)
    found: dict[str, Any] = json.loads(summary_json(analyse_run(directory), catalogue("en")))
    return found


def summary_of(directory: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((directory / "summary.json").read_text())
    return read


def overhead(summary: dict[str, Any], path: str, base: str, metric: str = "ttft_s", **where: Any) -> Any:
    wanted = {"task": None, "level": None, "path": path, "base": base, "metric": metric} | where
    found = [row for row in summary["overhead"] if all(row[key] == value for key, value in wanted.items())]
    assert len(found) <= 1
    return found[0] if found else None


def verdicts(summary: dict[str, Any]) -> dict[str, str]:
    return {claim["id"]: claim["verdict"] for claim in summary["claims"]}
