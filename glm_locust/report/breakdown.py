"""Where the time goes, path by path: layers of the requests that the server's own log explains."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from glm_locust.layers import Layer, TruthLine, durations_s, join
from glm_locust.metrics import METRICS
from glm_locust.records import RequestRecord
from glm_locust.report.findings import Findings
from glm_locust.report.statistics import Stat, stat_of
from glm_locust.report.tally import Tally


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One path, task (None: all) and level (None: none was planned).

    A layer that nothing measured is not in `layers`.
    """

    path: str
    task: str | None
    level: int | None
    ttft: Stat
    """TTFT of the joined requests."""
    layers: dict[Layer, Stat]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Layers of every path, and how many requests found their line in the server's log."""

    log_lines: int | None
    """None: there was no log."""
    bad_lines: int
    joined: int
    unmatched: int
    ambiguous: int
    rows: tuple[LayerRow, ...]
    """By task at the lowest level; over all tasks at every level."""


_Place = tuple[str, str | None, int | None]

NO_LOG = Breakdown(log_lines=None, bad_lines=0, joined=0, unmatched=0, ambiguous=0, rows=())


def break_down(
    tally: Tally,
    truth: tuple[Sequence[TruthLine], int] | None,
    findings: Findings,
    *,
    hidden_reasoning: bool,
) -> Breakdown:
    """Layers by path and task.

    With `hidden_reasoning` the way out of a page would hold the reasoning that it does not show, so that
    layer is left out there.
    """
    if truth is None:
        return NO_LOG
    lines, bad = truth
    joined = join((record for cell in tally.cells.values() for record in cell.records), lines)
    groups: dict[_Place, list[tuple[RequestRecord, TruthLine]]] = defaultdict(list)
    for record, line in joined.pairs:
        groups[record.path, None, record.level].append((record, line))
        groups[record.path, record.task, record.level].append((record, line))
    lowest, *higher = findings.levels or (None,)
    places: list[_Place] = [
        (path, task, level)
        for path in findings.paths
        for task, level in (
            *((task, lowest) for task in (*findings.task_ids, None)),
            *((None, level) for level in higher),
        )
    ]
    rows = [row for place in places if (row := _row(place, groups[place], hidden_reasoning)) is not None]
    return Breakdown(
        log_lines=len(lines),
        bad_lines=bad,
        joined=len(joined.pairs),
        unmatched=joined.unmatched,
        ambiguous=joined.ambiguous,
        rows=tuple(rows),
    )


def _row(
    place: _Place, pairs: Sequence[tuple[RequestRecord, TruthLine]], hidden_reasoning: bool
) -> LayerRow | None:
    ttft = stat_of([value for record, _ in pairs for value in METRICS["ttft_s"].formula(record)])
    if ttft is None:
        return None
    values: dict[Layer, list[float]] = defaultdict(list)
    for record, line in pairs:
        for layer, seconds in durations_s(record, line).items():
            values[layer].append(seconds)
    if hidden_reasoning:
        values.pop(Layer.STREAMLIT_OUT, None)
    layers = {layer: stat for layer in Layer if (stat := stat_of(values.get(layer, ()))) is not None}
    return LayerRow(*place, ttft, layers)
