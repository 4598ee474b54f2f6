"""Cells: what has come of the measured requests so far, by path and task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from glm_locust.dashboard.labels import OTHER, Labels
from glm_locust.metrics import METRICS, Summary, Values, enough_for
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

LONGEST = "itl_s"
"""The metric of which a request has the most values."""
MOST_PENDING = 4096
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
        self._summaries = {metric: Summary() for metric in QUANTILES}
        self._pending: dict[str, list[float]] = {metric: [] for metric in QUANTILES}
        """Values that no summary has yet: many at once cost much less."""
        self._waiting = 0
        self._figures: dict[str, Any] | None = None

    def take(self, record: RequestRecord, values: Mapping[str, Values], good: bool | None) -> None:
        """Count one measured request; `good` is None where no goodput objective speaks of it."""
        self._figures = None
        if record.outcome is Outcome.CANCELLED:
            self.cancelled += 1
            return
        if good is not None:
            self.promised += 1
            self.good += good
        if record.outcome is not Outcome.OK:
            self.failures[record.error_kind or record.outcome] += 1
            return
        self.answered += 1
        for metric, found in values.items():
            self._pending[metric].extend(found)
        self._waiting += 1 + len(values[LONGEST])
        if self._waiting > MOST_PENDING:
            self._fold()

    def add(self, other: "Cell") -> None:
        """Count all requests of another cell too; its figures have been made."""
        self._figures = None
        self.answered += other.answered
        self.cancelled += other.cancelled
        self.failures += other.failures
        self.promised += other.promised
        self.good += other.good
        for metric, summary in self._summaries.items():
            summary.merge(other._summaries[metric])

    def figures(self) -> dict[str, Any]:
        """What is shown of it; durations in s, None for quantiles of too few values."""
        if self._figures is None:
            self._fold()
            self._figures = {
                "n": self.answered,
                "failed": self.failures.total(),
                "failures": dict(self.failures.most_common()),
                "cancelled": self.cancelled,
                "goodput": rounded(self.good / self.promised) if self.promised else None,
                **{metric: _shown(self._summaries[metric], qs) for metric, qs in QUANTILES.items()},
            }
        return self._figures

    def _fold(self) -> None:
        for metric, pending in self._pending.items():
            self._summaries[metric].add_all(pending)
            pending.clear()
        self._waiting = 0


class Cells:
    """All cells of a run, in a bounded number."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._objectives = objectives
        self._cells: dict[tuple[str, str], Cell] = {}
        self._path = Labels(MOST_PATHS)
        self._task = Labels(MOST_TASKS)

    def take(self, record: RequestRecord) -> None:
        """Count one measured request."""
        path, task = self.key(record.path, record.task)
        values = {metric: METRICS[metric].formula(record) for metric in QUANTILES}
        good = self._good(record)
        cell = self._cells.get((path, task))
        if cell is None:
            cell = self._cells[path, task] = Cell()
        cell.take(record, values, good)

    def _good(self, record: RequestRecord) -> bool | None:
        for objective in self._objectives:
            if isinstance(objective.measure, Goodput) and objective.scope.takes(record):
                return meets(objective.measure.conditions, record)
        return None

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
            of_tasks = [{"path": path, "task": task, **cell.figures()} for task, cell in cells.items()]
            whole = Cell()
            for cell in cells.values():
                whole.add(cell)
            found += [{"path": path, "task": None, **whole.figures()}, *of_tasks]
        return found


def _in_order(item: tuple[tuple[str, str], Cell]) -> tuple[bool, str, bool, str]:
    (path, task), _ = item
    return path == OTHER, path, task == OTHER, task


def _shown(summary: Summary, qs: tuple[float, ...]) -> list[float | None]:
    values = summary.quantiles(qs)
    return [rounded(value) if enough_for(q, summary.n) else None for q, value in zip(qs, values, strict=True)]
