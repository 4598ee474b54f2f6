"""Which paths are compared with which, on what, by which stamps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glm_locust.metrics import METRICS
from glm_locust.overhead import Difference, Estimate, Sample, Stratum, difference, estimate
from glm_locust.records import PathId
from glm_locust.report.tally import CellKey, Tally

KERNEL_VARIANT = {"ttft_s": "ttft_kernel_s", "ttfo_s": "ttfo_kernel_s"}
"""Metric -> the same by the kernel's arrival stamps."""
WITH_UPLOAD = {
    "ttft_s": "ttft_incl_upload_s",
    "ttfo_s": "ttfo_incl_upload_s",
    "e2e_s": "e2e_incl_upload_s",
}
"""Metric -> the same from when the request was due, a page's upload included."""


@dataclass(frozen=True, slots=True)
class Overhead:
    """What `path` adds to `base`; task or level None: over all of them."""

    path: str
    base: str
    task: str | None
    level: int | None
    metric: str
    stamps: str
    """kernel | python: the one kind that both sides are measured with."""
    p50: Difference
    p95: Difference | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A path and what it is compared with."""

    path: str
    base: str


def pairs_of(paths: Sequence[str]) -> tuple[Pair, ...]:
    """Every path with the API, and the page through Jupyter with the page itself."""
    found = [Pair(path, PathId.API.value) for path in paths if path != PathId.API and PathId.API in paths]
    if PathId.WEB in paths and PathId.WEB_JUPYTER in paths:
        found.append(Pair(PathId.WEB_JUPYTER.value, PathId.WEB.value))
    return tuple(found)


def compared_on(tally: Tally, paths: Sequence[str]) -> str:
    """`ttft_s`, or `ttfo_s` where reasoning reaches some paths' users and not others'."""
    reasoned = {any(cell.reasoned for cell in tally.chosen(path=path)) for path in paths}
    return "ttft_s" if len(reasoned) < 2 else "ttfo_s"


class Comparer:
    """Compares paths of one tally; every cell is resampled once, whatever it is compared with."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._estimates: dict[tuple[CellKey, str, float], Estimate | None] = {}
        self._rounds_of: dict[tuple[str, int | None], dict[int | None, int]] = {}

    def overhead(
        self, pair: Pair, metric: str, *, task: str | None = None, level: int | None = None
    ) -> Overhead | None:
        """Path - base at the median and p95; None where the two share no task at the same level."""
        shared = self._shared(pair, task, level)
        formula, stamps = metric, "python"
        kernel = KERNEL_VARIANT.get(metric)
        if kernel and all(self._all_have(key, metric, kernel) for keys in shared for key in keys):
            formula, stamps = kernel, "kernel"
        median = difference(self._strata(shared, formula, 0.5))
        if median is None:
            return None
        # p95 stands for the same requests as the median, or for none.
        p95 = difference(self._strata(shared, formula, 0.95))
        if p95 is not None and (p95.n, p95.n_base) != (median.n, median.n_base):
            p95 = None
        return Overhead(pair.path, pair.base, task, level, metric, stamps, median, p95)

    def _shared(self, pair: Pair, task: str | None, level: int | None) -> list[tuple[CellKey, CellKey]]:
        return [
            (key, base)
            for key in self._tally.cells
            if key.path == pair.path
            and task in (None, key.task)
            and level in (None, key.level)
            and (base := key._replace(path=pair.base)) in self._tally.cells
        ]

    def _all_have(self, key: CellKey, metric: str, variant: str) -> bool:
        values = self._tally.cells[key].values
        return len(values.get(metric, ())) == len(values.get(variant, ()))

    def _strata(
        self, shared: Sequence[tuple[CellKey, CellKey]], formula: str, quantile: float
    ) -> list[Stratum]:
        return [
            Stratum(self._estimate(of, formula, quantile), self._estimate(base, formula, quantile))
            for of, base in shared
        ]

    def _estimate(self, key: CellKey, metric: str, quantile: float) -> Estimate | None:
        name = (key, metric, quantile)
        if name not in self._estimates:
            self._estimates[name] = estimate(
                self._sample(key, metric), quantile, key=repr(name), load=str(key.level)
            )
        return self._estimates[name]

    def _sample(self, key: CellKey, metric: str) -> Sample:
        formula = METRICS[metric].formula
        rounds = self._rounds(key.path, key.level)
        found = [
            (value, rounds.get(record.block, 0))
            for record in self._tally.cells[key].records
            for value in formula(record)
        ]
        return Sample([value for value, _ in found], [number for _, number in found])

    def _rounds(self, path: str, level: int | None) -> dict[int | None, int]:
        """Block -> round: the first blocks of all paths are the first round, and so on."""
        if (path, level) not in self._rounds_of:
            blocks = {
                record.block
                for key, cell in self._tally.cells.items()
                if (key.path, key.level) == (path, level)
                for record in cell.records
                if record.block is not None
            }
            self._rounds_of[path, level] = {block: number for number, block in enumerate(sorted(blocks))}
        return self._rounds_of[path, level]


def overheads(
    tally: Tally, pairs: Iterable[Pair], tasks: Sequence[str], levels: Sequence[int], first: str
) -> tuple[Overhead, ...]:
    """Every difference: by task and over all, by level and over all."""
    comparer = Comparer(tally)
    found = (
        comparer.overhead(pair, metric, task=task, level=level)
        for pair in pairs
        for level in (None, *levels)
        for task in (None, *tasks)
        for metric in (first, "e2e_s", WITH_UPLOAD[first], WITH_UPLOAD["e2e_s"])
    )
    return tuple(one for one in found if one is not None)
