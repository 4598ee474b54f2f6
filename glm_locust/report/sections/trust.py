"""How far the run can be trusted, every metric, what ran where, and the terms."""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from glm_locust.metrics import METRICS
from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import NOT_AVAILABLE, Catalogue, count, milliseconds
from glm_locust.report.document import Cell, Row, Section, Table, names, numbers, text
from glm_locust.report.sections.times import path_cell
from glm_locust.report.statistics import Stat

_WORKER_FACTS = ("host", "pid", "python", "cpu_s")
"""What is shown of that which a worker says of itself; summary.json has all of it."""
_TERMS = ("ttft", "ttfo", "total", "p95", "concurrency")


def quality(analysis: Analysis, words: Catalogue) -> Section:
    """Lateness, stamps, counts, workers."""
    facts = analysis.quality
    counts = analysis.counts
    stamps = "; ".join(
        f"{words.name('path', path)}: {words.name('stamps', facts.stamps[path])}"
        for path in analysis.findings.paths
        if path in facts.stamps
    )
    pairs = [
        (words.text("quality.send_lag"), _lag(facts.send_lag, words)),
        (words.text("quality.generator_lag"), _lag(facts.generator_lag, words)),
        (words.text("quality.stamps"), stamps or NOT_AVAILABLE),
        (
            words.text("quality.counts"),
            words.text("quality.counts.text", ok=counts.ok, failed=counts.failed, cancelled=counts.cancelled),
        ),
        (words.text("quality.locust"), _locust(analysis, words)),
        (words.text("quality.file"), _file(analysis, words)),
    ]
    if facts.arrivals is not None:
        told = {"process": facts.arrivals.process}
        told |= {"started": _known(facts.arrivals.started), "dropped": _known(facts.arrivals.dropped)}
        pairs.append((words.text("quality.arrivals"), words.text("quality.arrivals.text", **told)))
    if facts.notes:
        pairs.append((words.text("quality.notes"), "; ".join(facts.notes)))
    tables = [_facts_table(pairs, words)]
    if facts.workers:
        rows = [
            Row(
                (
                    Cell(worker.worker_id, code=True),
                    Cell(count(worker.records)),
                    Cell(count(worker.missing), "alarm" if worker.missing else "quiet"),
                    Cell(words.text("yes" if worker.lost else "no"), "alarm" if worker.lost else "quiet"),
                    text(_flat({key: worker.said[key] for key in _WORKER_FACTS if key in worker.said})),
                )
            )
            for worker in facts.workers
        ]
        columns = (
            *names(words.text("col.worker")),
            *numbers(words.text("col.records"), words.text("col.missing"), words.text("col.lost")),
            *names(words.text("col.said")),
        )
        tables.append(Table(columns, tuple(rows), caption=words.text("workers.title")))
    return Section(
        "quality", words.text("quality.title"), (words.text("quality.lead"),), tables=tuple(tables)
    )


def _known(number: int | None) -> str:
    return NOT_AVAILABLE if number is None else count(number)


def _lag(stat: Stat | None, words: Catalogue) -> str:
    if stat is None:
        return words.text("quality.none")
    return words.text("quality.stat", p50_s=stat.p50, p95_s=stat.p95, maximum_s=stat.maximum, n=stat.n)


def _locust(analysis: Analysis, words: Catalogue) -> str:
    locust = analysis.quality.locust_requests
    ours = analysis.counts.ok + analysis.counts.failed
    if locust is None:
        return NOT_AVAILABLE
    return words.text(f"quality.locust.{'agrees' if locust == ours else 'differs'}", locust=locust, ours=ours)


def _file(analysis: Analysis, words: Catalogue) -> str:
    facts = analysis.quality
    said = []
    if facts.unreadable_lines:
        said.append(
            words.text(
                "quality.file.unreadable", lines=facts.unreadable_lines, first="; ".join(facts.unreadable)
            )
        )
    if facts.cut_off:
        said.append(words.text("quality.file.cut_off"))
    for name in ("missing", "duplicates", "foreign"):
        amount = getattr(facts, name)
        if amount:
            said.append(words.text(f"quality.file.{name}", **{name: amount}))
    return "; ".join(said) or words.text("quality.file.good")


def all_metrics(analysis: Analysis, words: Catalogue) -> Section:
    """Every metric by path, over all tasks and levels."""
    rows = []
    for name, metric in METRICS.items():
        found = [
            (path, stats.metrics[name])
            for path, stats in analysis.findings.totals.items()
            if name in stats.metrics
        ]
        for place, (path, stat) in enumerate(found):
            rows.append(
                Row(
                    (
                        Cell(name if place == 0 else "", code=True),
                        path_cell(words, path),
                        Cell(count(stat.n)),
                        *(
                            Cell(_with_unit(value, metric.unit))
                            for value in (stat.p50, stat.p95, stat.p99, stat.mean)
                        ),
                    ),
                    first=place == 0,
                )
            )
    columns = (
        *names(words.text("col.metric"), words.text("col.path")),
        *numbers(*(words.text(f"col.{name}") for name in ("n", "median", "p95", "p99", "mean"))),
    )
    return Section(
        "metrics",
        words.text("metrics.title"),
        (words.text("metrics.lead"),),
        tables=(Table(columns, tuple(rows)),) if rows else (),
        brief=False,
        folded=True,
    )


def _with_unit(value: float | None, unit: str) -> str:
    if unit == "s":
        return milliseconds(value)
    if unit == "1":
        return NOT_AVAILABLE if value is None else f"{value:.3f}"
    return count(value)


def run(analysis: Analysis, words: Catalogue) -> Section:
    """Versions, seed, command, machine."""
    facts = analysis.run
    header = facts.header
    pairs: list[tuple[str, str]] = [
        (words.text("run.command"), shlex.join(header["command"])),
        (words.text("run.seed"), str(header["seed"]) if header["seed"] is not None else NOT_AVAILABLE),
        (words.text("run.started"), utc(facts.started_ns)),
        (words.text("run.ended"), utc(facts.ended_ns)),
        (words.text("run.end_reason"), words.name("reason", facts.reason)),
        *(
            (f"{words.text('run.targets')}: {name}", _flat(value))
            for name, value in header["targets"].items()
        ),
        *(
            (f"{words.text('run.workload')}: {name}", _plain(value))
            for name, value in header["workload"].items()
        ),
        (words.text("run.versions"), _flat(header["versions"])),
        (words.text("run.machine"), _flat(header["machine"])),
    ]
    return Section(
        "run",
        words.text("run.title"),
        tables=(_facts_table(pairs, words),),
        brief=False,
    )


def terms(_: Analysis, words: Catalogue) -> Section:
    """The words used above."""
    pairs = [(words.text(f"term.{name}"), words.text(f"term.{name}.text")) for name in _TERMS]
    return Section("terms", words.text("terms.title"), tables=(_facts_table(pairs, words),), brief=False)


def _facts_table(pairs: Iterable[tuple[str, str]], words: Catalogue) -> Table:
    return Table(
        names(words.text("col.what"), words.text("col.value")),
        tuple(Row((text(name), text(value))) for name, value in pairs if value),
    )


def utc(at_ns: int | None) -> str:
    """`2025-07-14 09:30:12 UTC`; `n/a` for None and for instants outside the calendar."""
    if at_ns is None:
        return NOT_AVAILABLE
    try:
        return f"{datetime.fromtimestamp(at_ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, ValueError, OSError):
        return NOT_AVAILABLE


def _flat(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _plain(value)
    return ", ".join(f"{name} {_plain(one)}" for name, one in value.items() if one not in (None, "", {}, []))


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)
