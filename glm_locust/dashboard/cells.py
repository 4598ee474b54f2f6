"""Cells: what has come of the measured requests so far, by path and task."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glm_locust.dashboard.labels import OTHER, Labels
from glm_locust.metrics import METRICS, Numbers, Summary, Values, enough_for
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

POOLED = {name: pooled for name in QUANTILES if (pooled := METRICS[name].pooled) is not None}
SINGLE = tuple(name for name in QUANTILES if name not in POOLED)
"""Those of which a request has one value at most."""
MOST_PENDING = 16_384
"""Numbers that a cell keeps to sum them up together."""
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
        # What no summary has yet, for many at once cost much less; as arrays, for single numbers would lie
        # all over the memory by then.
        self._single = {metric: array("d") for metric in SINGLE}
        self._pooled: dict[str, list[Numbers]] = {metric: [] for metric in POOLED}
        self._waiting = 0
        self._figures: dict[str, Any] | None = None

    def take(self, record: RequestRecord, values: Mapping[str, Values], good: bool | None) -> None:
        """Count one measured request and its `values` of SINGLE.

        `good` is None where no goodput objective speaks of it.
        """
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
        for metric, pending in self._single.items():
            for value in values[metric]:
                pending.append(value)
        for metric, parts in self._pooled.items():
            numbers = POOLED[metric].numbers(record)
            parts.append(numbers)
            self._waiting += len(numbers)
        if self._waiting > MOST_PENDING:
            self.fold()

    def add(self, other: "Cell") -> None:
        """Count all requests of another cell too; it has been folded."""
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
            self.fold()
            self._figures = {
                "n": self.answered,
                "failed": self.failures.total(),
                "failures": dict(self.failures.most_common()),
                "cancelled": self.cancelled,
                "goodput": rounded(self.good / self.promised) if self.promised else None,
                **{metric: _shown(self._summaries[metric], qs) for metric, qs in QUANTILES.items()},
            }
        return self._figures

    def fold(self) -> None:
        """Sum up what waits for it; figures do so by themselves."""
        for metric, pending in self._single.items():
            self._summaries[metric].add_all(np.array(pending))
            del pending[:]
        for metric, parts in self._pooled.items():
            if parts:
                self._summaries[metric].add_all(np.concatenate(parts) * POOLED[metric].unit)
                parts.clear()
        self._waiting = 0


class Cells:
    """All cells of a run, in a bounded number."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._promises = [(one.scope, one.measure) for one in objectives if isinstance(one.measure, Goodput)]
        self._cells: dict[tuple[str, str], Cell] = {}
        self._path = Labels(MOST_PATHS)
        self._task = Labels(MOST_TASKS)

    def take(self, record: RequestRecord, values: Mapping[str, Values]) -> None:
        """Count one measured request; `values` are those of SINGLE, and of more metrics perhaps."""
        key = self.key(record.path, record.task)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell()
        cell.take(record, values, self._good(record, values))

    def _good(self, record: RequestRecord, values: Mapping[str, Values]) -> bool | None:
        for scope, goodput in self._promises:
            if scope.takes(record):
                return meets(goodput.conditions, record, values)
        return None

    def key(self, path: str, task: str) -> tuple[str, str]:
        """The cell that this path and task are counted in."""
        return self._path(path), self._task(task)

    def rows(self) -> Iterator[list[dict[str, Any]]]:
        """The table in pieces, some of them empty, none of them long in the making.

        Of each path, in one piece, a row for it as a whole, task None, and one for each of its tasks.
        """
        paths: dict[str, dict[str, Cell]] = {}
        for (path, task), cell in sorted(self._cells.items(), key=_in_order):
            paths.setdefault(path, {})[task] = cell
        for path, cells in paths.items():
            for cell in cells.values():
                cell.figures()
                yield []
            yield [
                {"path": path, "task": None, **_together(cells.values()).figures()},
                *({"path": path, "task": task, **cell.figures()} for task, cell in cells.items()),
            ]


def _together(cells: Iterable[Cell]) -> Cell:
    whole = Cell()
    for cell in cells:
        cell.fold()
        whole.add(cell)
    return whole


def _in_order(item: tuple[tuple[str, str], Cell]) -> tuple[bool, str, bool, str]:
    (path, task), _ = item
    return path == OTHER, path, task == OTHER, task


def _shown(summary: Summary, qs: tuple[float, ...]) -> list[float | None]:
    values = summary.quantiles(qs)
    return [rounded(value) if enough_for(q, summary.n) else None for q, value in zip(qs, values, strict=True)]
