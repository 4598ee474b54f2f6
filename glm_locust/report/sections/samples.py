"""What GPU, host and engine were doing: by path, beside TTFT, and for the slowest requests."""

from glm_locust.correlate.verdict import Finding
from glm_locust.report import article, sample_charts
from glm_locust.report.amounts import amount
from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import Catalogue, bare_milliseconds, count, percent
from glm_locust.report.document import Cell, Chart, Plot, Row, Section, Table, names, numbers, text
from glm_locust.report.resources import PathUse
from glm_locust.report.sampling import Sampled
from glm_locust.report.sections.times import path_cell

MAIN = (
    # column, figure, mean or peak, unit
    ("gpu_memory_peak", "gpu_memory", "peak", "bytes"),
    ("gpu_busy_mean", "gpu_busy", "mean", "ratio"),
    ("gpu_busy_peak", "gpu_busy", "peak", "ratio"),
    ("cpu_mean", "cpu", "mean", "ratio"),
    ("cpu_peak", "cpu", "peak", "ratio"),
    ("ram_mean", "memory", "mean", "bytes"),
    ("ram_peak", "memory", "peak", "bytes"),
)
SHOWN_OF_SLOWEST = (
    ("busy", "GPU"),
    ("sm_clock", "GPU"),
    ("throttled", "GPU"),
    ("cpu", ""),
    ("requests_waiting", ""),
    ("requests_running", ""),
)
MOST_COLUMNS = 6
LAG_P = 0.05
"""A lag is put into words below this; its curve is drawn all the same."""


def resources(analysis: Analysis, words: Catalogue) -> Section:
    """By path as the published table has them, and the time strip."""
    sampled = analysis.sampled
    title = words.text("resources.title")
    if sampled is None or not sampled.resources.rows:
        return Section("resources", title, (words.text("resources.none"),))
    lead = [words.text("resources.lead")]
    if not sampled.resources.apart:
        lead.append(words.text("resources.mixed"))
    return Section(
        "resources",
        title,
        tuple(lead),
        _plots(
            (
                "strip",
                words.text("strip.chart"),
                sample_charts.time_strip(sampled, analysis.run.started_ns, words),
            )
        ),
        (_main_table(sampled, words), _readings_table(sampled, words)),
        tuple(_notes(sampled, words)),
    )


def _main_table(sampled: Sampled, words: Catalogue) -> Table:
    shown = [row for row in MAIN if sampled.resources.main.get(row[1])]
    rows = [
        Row(
            (
                _level_cell(use),
                _path(use, words),
                Cell(count(use.n)),
                Cell(f"{use.duration_s:.0f}"),
                *(_main_cell(sampled, use, *row[1:]) for row in shown),
            )
        )
        for use in sampled.resources.rows
    ]
    rows += [
        Row(
            (
                text(""),
                Cell(f"{words.text('col.article')}: {words.name('path', path)}", "article"),
                *(Cell("", "article") for _ in range(2)),
                *(Cell(_claimed(path, which, kind), "article") for _, which, kind, _ in shown),
            ),
            first=path == "api",
        )
        for path in ("api", "web")
    ]
    return Table(
        (
            *names(words.text("col.level"), words.text("col.path")),
            *numbers(words.text("col.n"), words.text("col.seconds")),
            *numbers(*(words.text(f"col.{column}") for column, *_ in shown)),
        ),
        tuple(rows),
    )


def _main_cell(sampled: Sampled, use: PathUse, which: str, kind: str, unit: str) -> Cell:
    value = getattr(sampled.resources.figure(use, which), kind, None)
    return Cell(amount(value, unit), "strong" if kind == "peak" else "")


def _claimed(path: str, which: str, kind: str) -> str:
    """The article does not say whether its figures are means or peaks but for the memory."""
    match which, kind:
        case "gpu_memory", "peak":
            return amount(article.CLAIMED_GPU_MEMORY_GB[path] * 1e9, "bytes")
        case "gpu_busy", "mean" | "peak":
            low, high = article.CLAIMED_GPU_UTILISATION_PERCENT[path]
            return amount((low if kind == "mean" else high) / 100, "ratio")
        case "cpu", "mean":
            return amount(article.CLAIMED_CPU_PERCENT[path] / 100, "ratio")
        case "memory", "mean":
            return amount(article.CLAIMED_RAM_GB[path] * 1e9, "bytes")
    return ""


def _readings_table(sampled: Sampled, words: Catalogue) -> Table:
    uses = sampled.resources.overall
    rows = []
    for name, reading in sampled.readings.readings.items():
        if any(name in use.readings for use in uses):
            cells = [
                Cell(
                    amount(getattr(found, kind) if (found := use.readings.get(name)) else None, reading.unit)
                )
                for use in uses
                for kind in ("mean", "peak")
            ]
            rows.append(Row((text(name), *cells)))
    columns = [
        numbers(words.text("col.mean"), words.text("col.peak"), group=_path(use, words).text) for use in uses
    ]
    return Table(
        (*names(words.text("col.reading")), *(column for pair in columns for column in pair)),
        tuple(rows),
        caption=words.text("resources.readings"),
    )


def _level_cell(use: PathUse) -> Cell:
    return text("" if use.level is None else str(use.level))


def _path(use: PathUse, words: Catalogue) -> Cell:
    return path_cell(words, use.path) if use.path else text(words.text("all_paths"))


def _notes(sampled: Sampled, words: Catalogue) -> list[str]:
    notes = [words.text("resources.article")]
    sources = [
        words.text(
            "resources.source", name=one.name, kind=words.name("source", one.kind), samples=one.samples
        )
        for one in sampled.sources
    ]
    if sources:
        notes.append(words.text("resources.sources", sources="; ".join(sources)))
    for device, identity in sorted(sampled.readings.gpus.items()):
        api = str(identity.get("memory_api", "?"))
        notes.append(words.text("resources.gpu", device=device, name=str(identity.get("name", "?")), api=api))
    if sampled.missing:
        missing = ", ".join(words.text(f"missing.{kind}") for kind in sampled.missing)
        notes.append(words.text("resources.missing", missing=missing))
    told: dict[str, int] = {}
    for gap in sampled.gaps:
        told[gap.source] = told.get(gap.source, 0) + 1
    for source, times in told.items():
        why = next(gap.why for gap in sampled.gaps if gap.source == source)
        notes.append(words.text("resources.gap", source=source, times=times, why=why))
    if sampled.readings.lost_rows:
        notes.append(words.text("resources.lost", rows=sampled.readings.lost_rows))
    if sampled.trouble:
        notes.append(words.text("resources.trouble", why=sampled.trouble))
    return notes


def correlation(analysis: Analysis, words: Catalogue) -> Section | None:
    """The verdicts with their figures, and charts of what was claimed; None without samples."""
    if analysis.sampled is None:
        return None
    title = words.text("correlation.title")
    found = analysis.sampled.correlation
    if found is None or not found.judgement.findings:
        return Section("correlation", title, (words.text("correlation.none"),))
    judgement = found.judgement
    figures: dict[str, float | int | str | None] = {"n": found.n, "seconds": round(judgement.run_s)}
    power = "short" if not judgement.verdict else "low_power" if judgement.low_power else "full"
    readings = analysis.sampled.readings.readings
    claimed = [one for one in judgement.findings if one.claimed and judgement.verdict]
    lead = (
        words.text("correlation.lead"),
        words.text(f"correlation.{power}", **figures),
        *(_said(finding, readings[finding.name].window, words) for finding in claimed),
        *(() if claimed or not judgement.verdict else (words.text("correlation.nothing"),)),
    )
    shown = dict.fromkeys(deciles.reading for deciles in found.deciles)
    plots = [
        (
            f"ttft-by-reading-{number}",
            words.text("deciles.chart", reading=name, window=words.text(f"while.{readings[name].window}")),
            sample_charts.ttft_by_reading(found, name, readings[name].unit, words),
        )
        for number, name in enumerate(shown)
    ]
    plots.append(("lags", words.text("lag.chart"), sample_charts.lags(found, words)))
    plots.append(("variance", words.text("variance.chart"), sample_charts.variance(found, words)))
    rows = [
        Row(_finding_cells(finding, readings[finding.name].window, words, verdict=judgement.verdict))
        for finding in sorted(
            judgement.findings, key=lambda one: (not one.claimed, -abs(one.association.rho))
        )
    ]
    heads = ("raw_rho", "rho", "interval", "p_adjusted", "least_rho", "coverage", "resolution")
    table = Table(
        (
            *names(words.text("col.reading"), words.text("col.window")),
            *numbers(*(words.text(f"col.{head}") for head in heads)),
            *names(words.text("col.verdict")),
        ),
        tuple(rows),
    )
    return Section("correlation", title, lead, _plots(*plots), (table,), (words.text("correlation.notes"),))


def _finding_cells(finding: Finding, window: str, words: Catalogue, *, verdict: bool) -> tuple[Cell, ...]:
    association = finding.association
    low, high = finding.interval
    claimed = finding.claimed and verdict
    word = "claimed" if claimed else "not_shown" if verdict else "none_yet"
    return (
        text(finding.name),
        text(words.text(f"window.{window}")),
        Cell(f"{association.raw_rho:+.2f}"),
        Cell(f"{association.rho:+.2f}", "strong"),
        Cell(f"{low:+.2f} … {high:+.2f}"),
        Cell(f"{finding.p_adjusted:.3f}"),
        Cell(f"{association.null_rho:.2f}"),
        Cell(percent(finding.coverage)),
        Cell(f"{finding.resolution:.1f}", "alarm" if finding.resolution < 1 else ""),
        Cell(words.text(f"moved.{word}"), "verdict-supported" if claimed else ""),
    )


def _said(finding: Finding, window: str, words: Catalogue) -> str:
    """A claim in one sentence, never as a cause."""
    association = finding.association
    way = "higher" if association.rho > 0 else "lower"
    low, high = finding.interval
    lag = ""
    if finding.lag is not None and finding.lag.p < LAG_P:
        lag = words.text("moved.lag", lag=f"{finding.lag.best_lag_s:+.2f}")
    said = words.text(
        f"moved.{way}",
        reading=finding.name,
        window=words.text(f"while.{window}"),
        rho=f"{association.rho:+.2f}",
        low=f"{low:+.2f}",
        high=f"{high:+.2f}",
        n=association.n,
    )
    return f"{said} {lag}".rstrip()


def slowest(analysis: Analysis, words: Catalogue) -> Section | None:
    """The slowest requests and what they met while they waited; None without samples or answers."""
    sampled = analysis.sampled
    if sampled is None or sampled.correlation is None or not sampled.correlation.slowest:
        return None
    title = words.text("slowest.title")
    readings = sampled.readings.readings
    shown = [
        name
        for quantity, device in SHOWN_OF_SLOWEST
        for name, reading in readings.items()
        if reading.quantity == quantity and reading.device.startswith(device)
    ][:MOST_COLUMNS]
    rows = [
        Row(
            (
                Cell(f"{one.record.worker_id[-8:]}/{one.record.seq}", code=True),
                path_cell(words, one.record.path),
                text(words.name("task", one.record.task)),
                Cell("" if one.record.level is None else str(one.record.level)),
                Cell(f"{((one.record.submitted_ns or 0) - analysis.run.started_ns) / 1e9:.1f}"),
                Cell(bare_milliseconds(one.ttft_s), "strong"),
                *(Cell(amount(one.readings.get(name), readings[name].unit)) for name in shown),
            )
        )
        for one in sampled.correlation.slowest
    ]
    table = Table(
        (
            *names(words.text("col.request"), words.text("col.path"), words.text("col.task")),
            *numbers(words.text("col.level"), words.text("col.at"), words.text("col.ttft_ms")),
            *numbers(*shown, group=words.text("slowest.while")),
        ),
        tuple(rows),
    )
    return Section("slowest", title, (words.text("slowest.lead"),), tables=(table,), brief=False, folded=True)


def _plots(*plots: tuple[str, str, Chart | None]) -> tuple[Plot, ...]:
    return tuple(Plot(name, caption, chart) for name, caption, chart in plots if chart is not None)
