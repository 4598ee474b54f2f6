"""Findings: the numbers of a run, from which headline, claims and recommendations are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from glm_locust.records import PathId
from glm_locust.report.article import CLAIMED_TIMES
from glm_locust.report.comparison import Overhead, Pair, compared_on, overheads, pairs_of
from glm_locust.report.statistics import PathStats, stats_of
from glm_locust.report.tally import Tally, ordered

API = PathId.API.value
WEB = PathId.WEB.value
JUPYTER = PathId.WEB_JUPYTER.value


@dataclass(frozen=True, slots=True)
class LevelStats:
    """One concurrency."""

    paths: dict[str, PathStats]
    """All tasks."""
    tasks: dict[str, dict[str, PathStats]]


@dataclass(frozen=True, slots=True)
class Findings:
    """Statistics and differences; absent where nothing was measured."""

    paths: tuple[str, ...]
    task_ids: tuple[str, ...]
    levels: tuple[int, ...]
    """Planned concurrencies; empty where the run planned none."""
    compared_on: str
    """ttft_s | ttfo_s: what Web and API are compared on."""
    pairs: tuple[Pair, ...]
    totals: dict[str, PathStats]
    """Path -> all tasks and levels."""
    tasks: dict[str, dict[str, PathStats]]
    """Task -> path -> all levels."""
    by_level: dict[int, LevelStats]
    overheads: tuple[Overhead, ...]

    @property
    def page(self) -> str | None:
        """The page reached most directly; None where no path but the API was measured."""
        return next((path for path in self.paths if path != API), None)

    @property
    def table_level(self) -> int | None:
        """The lowest level: the article measured one person at a time."""
        return self.levels[0] if self.levels else None

    def at_table_level(self, task: str) -> dict[str, PathStats]:
        """Path -> what stands beside the article's figures of this task."""
        level = self.table_level
        return (self.tasks if level is None else self.by_level[level].tasks).get(task, {})

    def at_lowest(self, path: str | None, base: str, metric: str, task: str | None = None) -> Overhead | None:
        """What `path` adds to `base` at the level of the article's table."""
        return self.overhead(path, base, metric, task, self.table_level)

    def overhead(
        self, path: str | None, base: str, metric: str, task: str | None = None, level: int | None = None
    ) -> Overhead | None:
        """What `path` adds to `base`; None where that was not measured."""
        for row in self.overheads:
            if (row.path, row.base, row.metric, row.task, row.level) == (path, base, metric, task, level):
                return row
        return None


def find_out(tally: Tally) -> Findings:
    """Compute all statistics and differences."""
    paths = ordered((key.path for key in tally.cells), [path.value for path in PathId])
    tasks = ordered((key.task for key in tally.cells), CLAIMED_TIMES)
    levels = tuple(sorted({key.level for key in tally.cells if key.level is not None}))
    pairs = pairs_of(paths)
    first = compared_on(tally, paths)
    return Findings(
        paths=paths,
        task_ids=tasks,
        levels=levels,
        compared_on=first,
        pairs=pairs,
        totals={path: stats_of(tally.chosen(path), tally.requests_per_s(path, None)) for path in paths},
        tasks={task: _by_path(tally, paths, task, None) for task in tasks},
        by_level={level: _level(tally, paths, tasks, level) for level in levels},
        overheads=overheads(tally, pairs, tasks, levels, first),
    )


def _by_path(tally: Tally, paths: Sequence[str], task: str, level: int | None) -> dict[str, PathStats]:
    return {path: stats_of(cells) for path in paths if (cells := list(tally.chosen(path, task, level)))}


def _level(tally: Tally, paths: Sequence[str], tasks: Sequence[str], level: int) -> LevelStats:
    return LevelStats(
        paths={
            path: stats_of(cells, tally.requests_per_s(path, level))
            for path in paths
            if (cells := list(tally.chosen(path, level=level)))
        },
        tasks={task: found for task in tasks if (found := _by_path(tally, paths, task, level))},
    )
