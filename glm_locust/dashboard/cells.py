"""Cells: what has come of the measured requests so far, by path and task."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from glm_locust.dashboard.labels import OTHER, Labels
from glm_locust.metrics import METRICS, Summary, enough_for
from glm_locust.records import Outcome, RequestRecord
from glm_locust.slo import Goodput, Objective, meets

QUANTILES = {
    "ttft_s": (0.5, 0.95, 0.99),
    "ttfo_s": (0.5, 0.95),
    "itl_s": (0.5, 0.95),
    "tpot_s": (0.5, 0.95),
    "e2e_s": (0.5, 0.95),
    "output_tokens_per_s": (0.5,),
}
"""Metric -> what of it is shown."""

MOST_PATHS = 8
MOST_TASKS = 24
DIGITS = 4
"""Significant digits of what is shown."""


def rounded(value: float | None) -> float | None:
    """A value as it is sent to a page."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


class Cell:
    """The measured requests of one path and task, or of several together."""

    def __init__(self) -> None:
        self.answered = 0
        self.cancelled = 0
        self.failures: Counter[str] = Counter()
        self.promised = 0
        """Requests that a goodput objective speaks of."""
        self.good = 0
        """Those of them that met all its conditions."""
        self.summaries = {metric: Summary() for metric in QUANTILES}
        self._figures: dict[str, Any] | None = None

    def take(self, record: RequestRecord, objectives: Iterable[Objective]) -> None:
        """Count one measured request."""
        self._figures = None
        if record.outcome is Outcome.CANCELLED:
            self.cancelled += 1
            return
        if record.outcome is Outcome.OK:
            self.answered += 1
            for metric, summary in self.summaries.items():
                summary.add_all(METRICS[metric].formula(record))
        else:
            self.failures[record.error_kind or record.outcome] += 1
        for objective in objectives:
            if isinstance(objective.measure, Goodput) and objective.scope.takes(record):
                self.promised += 1
                self.good += meets(objective.measure.conditions, record)
                return

    def figures(self) -> dict[str, Any]:
        """What is shown of it; durations in s, None for quantiles of too few values."""
        if self._figures is None:
            self._figures = {
                "n": self.answered,
                "failed": self.failures.total(),
                "failures": dict(self.failures.most_common()),
                "cancelled": self.cancelled,
                "goodput": rounded(self.good / self.promised) if self.promised else None,
                **{metric: _shown(self.summaries[metric], qs) for metric, qs in QUANTILES.items()},
            }
        return self._figures


class Cells:
    """All cells of a run, in a bounded number."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        self._cells: dict[tuple[str, str], Cell] = {}
        self._path = Labels(MOST_PATHS)
        self._task = Labels(MOST_TASKS)

    def take(self, record: RequestRecord) -> None:
        """Count one measured request."""
        key = self.key(record.path, record.task)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell()
        cell.take(record, self._objectives)

    def key(self, path: str, task: str) -> tuple[str, str]:
        """The cell that this path and task are counted in."""
        return self._path(path), self._task(task)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each path as a whole, task None, and after it one for each of its tasks."""
        paths: dict[str, dict[str, Cell]] = {}
        for (path, task), cell in sorted(self._cells.items(), key=_in_order):
            paths.setdefault(path, {})[task] = cell
        found: list[dict[str, Any]] = []
        for path, cells in paths.items():
            found.append({"path": path, "task": None, **_together(cells.values()).figures()})
            found += [{"path": path, "task": task, **cell.figures()} for task, cell in cells.items()]
        return found


def _in_order(item: tuple[tuple[str, str], Cell]) -> tuple[bool, str, bool, str]:
    (path, task), _ = item
    return path == OTHER, path, task == OTHER, task


def _together(cells: Iterable[Cell]) -> Cell:
    whole = Cell()
    for cell in cells:
        whole.answered += cell.answered
        whole.cancelled += cell.cancelled
        whole.failures += cell.failures
        whole.promised += cell.promised
        whole.good += cell.good
        for metric, summary in whole.summaries.items():
            summary.merge(cell.summaries[metric])
    return whole


def _shown(summary: Summary, qs: tuple[float, ...]) -> list[float | None]:
    values = summary.quantiles(qs)
    return [rounded(value) if enough_for(q, summary.n) else None for q, value in zip(qs, values, strict=True)]
