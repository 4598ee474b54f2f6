"""Times: by task beside the article's, what Web adds, by concurrency."""

from glm_locust.overhead import FEWEST_ROUNDS, Interval
from glm_locust.report import charts
from glm_locust.report.analysis import Analysis
from glm_locust.report.article import CLAIMED_RUNS_PER_TASK, CLAIMED_TIMES
from glm_locust.report.catalogue import Catalogue, bare_milliseconds, count, percent, rate
from glm_locust.report.comparison import WITH_UPLOAD, Overhead
from glm_locust.report.document import Cell, Chart, Plot, Row, Section, Table, names, numbers, text
from glm_locust.report.findings import API, JUPYTER, WEB
from glm_locust.report.statistics import PathStats, Stat

DAGGER = "†"


def times(analysis: Analysis, words: Catalogue) -> Section:
    """The article's table with ours."""
    findings = analysis.findings
    first = findings.compared_on
    article_page = JUPYTER if JUPYTER in findings.paths else WEB
    marked = set(analysis.run.simulated) & {API}
    rows: list[Row] = []
    for task in findings.task_ids:
        for path, stats in findings.at_table_level(task).items():
            claimed = CLAIMED_TIMES.get(task)
            article: tuple[float | None, float | None] = (None, None)
            if claimed and path == API:
                article = (claimed.api_ttft_s, claimed.api_total_s)
            elif claimed and path == article_page:
                article = (claimed.web_ttft_s, claimed.web_total_s)
            begins = path == next(iter(findings.at_table_level(task)))
            rows.append(
                Row(
                    (
                        text(words.name("task", task) if begins else ""),
                        path_cell(words, path, DAGGER if path in marked else ""),
                        Cell(count(stats.n)),
                        failed_cell(stats),
                        *_times_of(stats, first),
                        Cell(_article(article[0]), "article"),
                        *_times_of(stats, "e2e_s"),
                        Cell(_article(article[1]), "article"),
                    ),
                    first=begins,
                )
            )
    heads = [words.text(f"col.{name}") for name in ("median", "p95", "mean", "with_upload", "article")]
    table = Table(
        (
            *names(words.text("col.task"), words.text("col.path")),
            *numbers(words.text("col.n"), words.text("col.failed")),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text(f"first.{first}"))),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text("col.total"))),
        ),
        tuple(rows),
    )
    return Section(
        "times",
        words.text("times.title"),
        lead=_times_lead(analysis, words, article_page),
        plots=_plots(("ttft", words.text("times.chart"), charts.times_by_task(findings, words))),
        tables=(table,) if rows else (),
        notes=(
            *((words.text("times.preset"),) if marked else ()),
            words.text("times.few"),
        ),
    )


def _times_lead(analysis: Analysis, words: Catalogue, article_page: str) -> tuple[str, ...]:
    return (
        words.text("times.lead"),
        words.text("times.article", runs=CLAIMED_RUNS_PER_TASK, path=article_page),
        *level_note(analysis, words, "times.level"),
    )


def level_note(analysis: Analysis, words: Catalogue, key: str = "level_note") -> tuple[str, ...]:
    """Says which level a section is about, where the run had several."""
    levels = analysis.findings.levels
    return (words.text(key, level=levels[0]),) if len(levels) > 1 else ()


def _times_of(stats: PathStats, metric: str) -> tuple[Cell, ...]:
    stat, uploaded = stats.metrics.get(metric), stats.metrics.get(WITH_UPLOAD[metric])
    return (
        Cell(bare_milliseconds(stat.p50 if stat else None), "strong"),
        Cell(bare_milliseconds(stat.p95 if stat else None)),
        Cell(bare_milliseconds(stat.mean if stat else None)),
        Cell(bare_milliseconds(uploaded.p50 if uploaded else None)),
    )


def _article(seconds: float | None) -> str:
    return "" if seconds is None else bare_milliseconds(seconds)


def overhead(analysis: Analysis, words: Catalogue) -> Section:
    """Difference of medians with interval, in ms and in %."""
    findings = analysis.findings
    first = findings.compared_on
    rows: list[Row] = []
    by_rounds = True
    for pair in findings.pairs:
        begins = True
        for task in (*findings.task_ids, None):
            row = findings.at_lowest(pair.path, pair.base, first, task)
            if row is None:
                continue
            by_rounds = by_rounds and row.p50.by_rounds
            total = findings.at_lowest(pair.path, pair.base, "e2e_s", task)
            rows.append(
                Row(
                    (
                        pair_cell(words, row) if begins else text(""),
                        text(words.name("task", task) if task else words.text("all_tasks")),
                        Cell(counts_of(row)),
                        *_difference_cells(row),
                        _added_cell(findings.at_lowest(pair.path, pair.base, WITH_UPLOAD[first], task)),
                        *_difference_cells(total),
                        _added_cell(findings.at_lowest(pair.path, pair.base, WITH_UPLOAD["e2e_s"], task)),
                    ),
                    first=begins,
                    total=task is None,
                )
            )
            begins = False
    heads = [
        words.text(f"col.{name}")
        for name in ("difference", "interval", "percent", "p95_difference", "added_with_upload")
    ]
    table = Table(
        (
            *names(words.text("col.pair"), words.text("col.task")),
            *numbers(words.text("col.n")),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text(f"first.{first}"))),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text("col.total"))),
        ),
        tuple(rows),
        wide=True,
    )
    kinds = ", ".join(words.name("stamps", kind) for kind in analysis.quality.compared_by_first)
    return Section(
        "overhead",
        words.text("overhead.title"),
        lead=(
            words.text("overhead.lead"),
            words.text("overhead.rounds" if by_rounds else "overhead.requests", fewest=FEWEST_ROUNDS),
            *level_note(analysis, words),
            words.text("overhead.stamps", stamps=kinds),
        )
        if rows
        else (words.text("overhead.none"),),
        plots=_plots(("overhead", words.text("overhead.chart"), charts.added_by_task(findings, words))),
        tables=(table,) if rows else (),
        notes=(words.text("overhead.few"),) if rows else (),
    )


def _difference_cells(row: Overhead | None) -> tuple[Cell, ...]:
    if row is None:
        return (Cell(bare_milliseconds(None)),) * 4
    ratio = row.p50.ratio
    return (
        Cell(bare_milliseconds(row.p50.difference.value), "strong"),
        Cell(interval_text(row.p50.difference)),
        Cell(percent(ratio.value if ratio else None)),
        Cell(bare_milliseconds(row.p95.difference.value if row.p95 else None)),
    )


def _added_cell(row: Overhead | None) -> Cell:
    return Cell(bare_milliseconds(row.p50.difference.value if row else None))


def interval_text(interval: Interval) -> str:
    """`80.1 … 86.0` in ms, or `n/a`."""
    if interval.low is None:
        return bare_milliseconds(None)
    return f"{bare_milliseconds(interval.low)} … {bare_milliseconds(interval.high)}"


def counts_of(row: Overhead) -> str:
    """`50 / 50`, or one number where both are alike."""
    return count(row.p50.n) if row.p50.n == row.p50.n_base else f"{row.p50.n} / {row.p50.n_base}"


def levels(analysis: Analysis, words: Catalogue) -> Section:
    """By concurrency: table and charts."""
    findings = analysis.findings
    first = findings.compared_on
    rows = []
    for level, stats in findings.by_level.items():
        for place, (path, one) in enumerate(stats.paths.items()):
            added = findings.overhead(path, API, first, level=level)
            ttft, total = one.metrics.get(first), one.metrics.get("e2e_s")
            rows.append(
                Row(
                    (
                        Cell(str(level) if place == 0 else ""),
                        path_cell(words, path),
                        Cell(count(one.n)),
                        failed_cell(one),
                        *_median_p95(ttft),
                        *_median_p95(total),
                        Cell(
                            ""
                            if path == API
                            else bare_milliseconds(added.p50.difference.value if added else None)
                        ),
                        Cell("" if path == API else interval_text(added.p50.difference) if added else "n/a"),
                        Cell(rate(one.requests_per_s)),
                    ),
                    first=place == 0,
                )
            )
    heads = [words.text("col.median"), words.text("col.p95")]
    table = Table(
        (
            *names(words.text("col.level"), words.text("col.path")),
            *numbers(words.text("col.n"), words.text("col.failed")),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text(f"first.{first}"))),
            *numbers(*heads, group=words.text("col.in_ms", what=words.text("col.total"))),
            *numbers(
                words.text("col.difference"),
                words.text("col.interval"),
                group=words.text("col.in_ms", what=words.text("col.over_api")),
            ),
            *numbers(words.text("col.rate")),
        ),
        tuple(rows),
    )
    lead: tuple[str, ...] = (words.text("levels.lead"),)
    if not findings.levels:
        lead = (words.text("levels.none"),)
    elif len(findings.levels) == 1:
        lead = (words.text("levels.one", levels=findings.levels[0]),)
    return Section(
        "levels",
        words.text("levels.title"),
        lead=lead,
        plots=_plots(
            ("levels", words.text("levels.chart"), charts.times_by_level(findings, words)),
            ("levels-added", words.text("levels.chart_added"), charts.added_by_level(findings, words)),
        ),
        tables=(table,) if rows else (),
    )


def _median_p95(stat: Stat | None) -> tuple[Cell, Cell]:
    return (
        Cell(bare_milliseconds(stat.p50 if stat else None), "strong"),
        Cell(bare_milliseconds(stat.p95 if stat else None)),
    )


def _plots(*plots: tuple[str, str, Chart | None]) -> tuple[Plot, ...]:
    return tuple(Plot(name, caption, chart) for name, caption, chart in plots if chart is not None)


def path_cell(words: Catalogue, path: str, mark: str = "") -> Cell:
    """A path's name in its colour, and a mark behind it."""
    name = f"{words.name('path', path)} {mark}".rstrip()
    return Cell(name, f"path-{path}" if path in charts.PATH_COLOURS else "path-other")


def pair_cell(words: Catalogue, row: Overhead) -> Cell:
    """`Web − API`, in the path's colour."""
    return Cell(words.text("pair", path=row.path, base=row.base), path_cell(words, row.path).tone)


def failed_cell(stats: PathStats) -> Cell:
    """How many failed, loud where any did."""
    return Cell(count(stats.failed), "alarm" if stats.failed else "quiet")
