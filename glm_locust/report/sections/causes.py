"""What lies behind the times: layers, bytes, lengths of answers, failures."""

from glm_locust.layers import Layer
from glm_locust.report import article, charts
from glm_locust.report.analysis import Analysis
from glm_locust.report.breakdown import LayerRow
from glm_locust.report.catalogue import (
    NOT_AVAILABLE,
    Catalogue,
    bare_milliseconds,
    count,
    milliseconds,
    percent,
    size,
)
from glm_locust.report.comparison import Overhead
from glm_locust.report.document import Cell, Plot, Row, Section, Table, names, numbers, text
from glm_locust.report.findings import API, JUPYTER, WEB
from glm_locust.report.sections.times import interval_text, level_note, pair_cell, path_cell


def layers(analysis: Analysis, words: Catalogue) -> Section:
    """Layers from the server's log, and the claimed ones beside the paired paths."""
    breakdown = analysis.breakdown
    lead = [words.text("layers.none")]
    tables = [_claimed_table(analysis, words)]
    notes: list[str] = []
    if breakdown.log_lines is not None:
        lead = [words.text("layers.lead"), *level_note(analysis, words, "layers.level")]
        if any(Layer.SCRIPT_START in row.layers for row in breakdown.rows):
            notes.append(words.text("layers.script"))
        notes.append(
            words.text(
                "layers.joined",
                joined=breakdown.joined,
                unmatched=breakdown.unmatched,
                ambiguous=breakdown.ambiguous,
            )
        )
        if analysis.findings.compared_on == "ttfo_s":
            notes.append(words.text("layers.hidden"))
    if breakdown.rows:
        tables.insert(0, _layer_table(analysis, words))
    plots = [
        Plot(name, words.text(caption), chart)
        for name, caption, chart in (
            ("layers", "layers.chart", charts.layers_by_path(analysis.findings, breakdown, words)),
            ("claimed-layers", "layers.claims", charts.claimed_layers(analysis.findings, words)),
        )
        if chart is not None
    ]
    return Section(
        "layers", words.text("layers.title"), tuple(lead), tuple(plots), tuple(tables), tuple(notes)
    )


def _layer_table(analysis: Analysis, words: Catalogue) -> Table:
    breakdown = analysis.breakdown
    shown = [layer for layer in Layer if any(layer in row.layers for row in breakdown.rows)]
    rows = []
    for path in analysis.findings.paths:
        of_path = [row for row in breakdown.rows if row.path == path]
        several = len(analysis.findings.levels) > 1
        for place, row in enumerate(of_path):
            cells = [
                path_cell(words, path) if place == 0 else text(""),
                text(_layer_name(row, words, several=several)),
                Cell(count(row.ttft.n)),
                *(_layer_cell(row.layers[layer].p50 if layer in row.layers else None) for layer in shown),
                Cell(bare_milliseconds(row.ttft.p50), "strong"),
            ]
            rows.append(Row(tuple(cells), first=place == 0, total=row.task is None))
    return Table(
        (
            *names(words.text("col.path"), words.text("col.task")),
            *numbers(words.text("col.n")),
            *numbers(
                *(words.name("layer", layer) for layer in shown),
                words.text("col.ttft"),
                group=words.text("col.in_ms", what=words.text("col.median")),
            ),
        ),
        tuple(rows),
        wide=True,
    )


def _layer_name(row: LayerRow, words: Catalogue, *, several: bool) -> str:
    if row.task:
        return words.name("task", row.task)
    if several and row.level is not None:
        return words.text("layers.all_tasks_at", level=row.level)
    return words.text("all_tasks")


def _layer_cell(seconds: float | None) -> Cell:
    return Cell(bare_milliseconds(seconds), "quiet" if seconds is None else "")


def _claimed_table(analysis: Analysis, words: Catalogue) -> Table:
    findings = analysis.findings
    first = findings.compared_on
    low, high = article.CLAIMED_BROWSER_S
    measured: tuple[tuple[str, str, Overhead | None], ...] = (
        (
            words.text("layer.streamlit"),
            bare_milliseconds(article.CLAIMED_STREAMLIT_S),
            findings.at_lowest(WEB, API, first),
        ),
        (
            words.text("layer.jupyter"),
            bare_milliseconds(article.CLAIMED_JUPYTER_S),
            findings.at_lowest(JUPYTER, WEB, first),
        ),
        (words.text("layer.browser"), f"{bare_milliseconds(low)} … {bare_milliseconds(high)}", None),
    )
    rows = [
        Row(
            (
                text(name),
                Cell(claimed, "article"),
                Cell(bare_milliseconds(row.p50.difference.value), "strong")
                if row
                else Cell(NOT_AVAILABLE, "quiet"),
                Cell(interval_text(row.p50.difference) if row else ""),
                pair_cell(words, row) if row else text(""),
            )
        )
        for name, claimed, row in measured
    ]
    return Table(
        (
            *names(words.text("col.layer")),
            *numbers(
                words.text("col.claimed"),
                words.text("col.measured"),
                words.text("col.interval"),
                group=words.text("col.in_ms", what=words.text("col.added")),
            ),
            *names(words.text("layers.hop")),
        ),
        tuple(rows),
        caption=words.text("layers.claims"),
    )


def bytes_sent(analysis: Analysis, words: Catalogue) -> Section:
    """What carries an image, by path."""
    rows = []
    for path, stats in analysis.findings.totals.items():
        image, wire = stats.metrics.get("image_bytes"), stats.metrics.get("image_bytes_out")
        ratio = stats.metrics.get("image_bytes_ratio")
        if image is None:
            continue
        rows.append(
            Row(
                (
                    path_cell(words, path),
                    text(words.text("encoding.api" if path == API else "encoding.page")),
                    Cell(count(image.n)),
                    Cell(size(image.p50)),
                    Cell(size(wire.p50 if wire else None), "strong"),
                    Cell(f"{ratio.p50:.3f}" if ratio else NOT_AVAILABLE, "strong"),
                    Cell(size(stats.p50("bytes_out"))),
                    Cell(size(stats.p50("bytes_in"))),
                )
            )
        )
    columns = (
        *names(words.text("col.path"), words.text("col.encoding")),
        *numbers(
            *(
                words.text(f"col.{name}")
                for name in ("n", "image", "on_wire", "ratio", "request_out", "request_in")
            )
        ),
    )
    return Section(
        "bytes",
        words.text("bytes.title"),
        (words.text("bytes.lead" if rows else "bytes.none"),),
        tables=(Table(columns, tuple(rows)),) if rows else (),
    )


def answers(analysis: Analysis, words: Catalogue) -> Section:
    """Characters per answer; time per character where the answers differ."""
    differing = any(lengths.differ for lengths in analysis.answers)
    rows = []
    for lengths in analysis.answers:
        verdict = words.text("yes" if lengths.differ else "no")
        for place, (path, stats) in enumerate(lengths.paths.items()):
            per_char = milliseconds(stats.p50("e2e_per_char_s")) if lengths.differ else ""
            rows.append(
                Row(
                    (
                        text(words.name("task", lengths.task) if place == 0 else ""),
                        path_cell(words, path),
                        Cell(count(stats.n)),
                        Cell(count(stats.p50("output_chars")), "strong"),
                        Cell(verdict if place == 0 else "", "alarm" if lengths.differ else "quiet"),
                        Cell(milliseconds(stats.p50("e2e_s"))),
                        *((Cell(per_char),) if differing else ()),
                    ),
                    first=place == 0,
                )
            )
    heads = ["n", "chars", "differ", "total", *(("per_char",) if differing else ())]
    columns = (
        *names(words.text("col.task"), words.text("col.path")),
        *numbers(*(words.text(f"col.{name}") for name in heads)),
    )
    return Section(
        "answers",
        words.text("answers.title"),
        (words.text("answers.lead"), *level_note(analysis, words)),
        tables=(Table(columns, tuple(rows)),) if rows else (),
    )


def failures(analysis: Analysis, words: Catalogue) -> Section:
    """Failures by path and kind."""
    totals = analysis.findings.totals
    rows = []
    for row in analysis.failures:
        stats = totals[row.path]
        rows.append(
            Row(
                (
                    path_cell(words, row.path),
                    text(words.name("kind", row.kind)),
                    Cell(count(row.n), "alarm"),
                    Cell(percent(row.n / (stats.n + stats.failed))),
                    text(", ".join(f"{words.name('task', task)} {n}" for task, n in row.tasks.items())),
                    Cell(row.example or "", code=True),
                )
            )
        )
    columns = (
        *names(words.text("col.path"), words.text("col.kind")),
        *numbers(words.text("col.n"), words.text("col.share")),
        *names(words.text("col.tasks"), words.text("col.example")),
    )
    requests = sum(stats.n + stats.failed for stats in totals.values())
    cancelled = sum(stats.cancelled for stats in totals.values())
    warmup = sum(analysis.counts.warmup_failures.values())
    lead = words.text("failures.lead") if rows else words.text("failures.none", requests=requests)
    return Section(
        "failures",
        words.text("failures.title"),
        (lead,),
        tables=(Table(columns, tuple(rows)),) if rows else (),
        notes=(
            *((words.text("failures.cancelled", cancelled=cancelled),) if cancelled else ()),
            *((words.text("failures.warmup", n=warmup),) if warmup else ()),
        ),
    )
