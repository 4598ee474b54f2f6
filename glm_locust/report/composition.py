"""Puts the document together: head, verdict, key figures, sections, in the order a person reads."""

from glm_locust import __version__
from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.document import Banner, Document, Tile
from glm_locust.report.sections import causes, objectives, samples, times, trust, verdicts

_SECTIONS = (
    objectives.objectives,
    times.times,
    times.overhead,
    times.levels,
    causes.layers,
    causes.bytes_sent,
    causes.answers,
    causes.failures,
    samples.resources,
    samples.correlation,
    samples.slowest,
    verdicts.claims,
    verdicts.recommendations,
    trust.quality,
    trust.all_metrics,
    trust.run,
    trust.terms,
)


def compose(analysis: Analysis, words: Catalogue) -> Document:
    """The whole report in one language."""
    findings = analysis.findings
    measured = sum(stats.n + stats.failed for stats in findings.totals.values())
    return Document(
        language=words.language,
        title=words.text("title"),
        subtitle=words.text(
            "subtitle",
            model=", ".join(analysis.run.models) or words.text("subtitle.model_unknown"),
            tasks=len(findings.task_ids),
            paths=", ".join(words.name("path", path) for path in findings.paths),
        ),
        meta=(
            words.text("meta.run", run_id=analysis.run.run_id),
            trust.utc(analysis.run.started_ns),
            words.text("meta.requests", requests=measured),
        ),
        banners=_banners(analysis, words),
        verdict=tuple(words.say(statement) for statement in analysis.headline),
        tiles=_tiles(analysis, words),
        contents=words.text("contents"),
        sections=tuple(section for make in _SECTIONS if (section := make(analysis, words)) is not None),
        footer=words.text("footer", version=__version__),
    )


def _banners(analysis: Analysis, words: Catalogue) -> tuple[Banner, ...]:
    found = []

    def say(key: str, tone: str, **figures: str | float) -> None:
        found.append(Banner(words.text(f"banner.{key}"), words.text(f"banner.{key}.text", **figures), tone))

    if analysis.judgement is not None:
        found.append(objectives.banner(analysis.judgement, words))
    if analysis.run.partial:
        reason = words.name("reason", analysis.run.reason)
        say("partial", "alarm", reason=reason[:1].upper() + reason[1:])
    lost = sum(worker.lost for worker in analysis.quality.workers)
    if lost or analysis.quality.missing:
        say("lost", "alarm", missing=analysis.quality.missing, lost=lost)
    arrivals = analysis.quality.arrivals
    if arrivals is not None and arrivals.dropped:
        due = arrivals.dropped + (arrivals.started or 0)
        say("dropped", "alarm", dropped=arrivals.dropped, due=due, dropped_share=arrivals.dropped / due)
    if analysis.run.simulated:
        say("simulated", "info", presets=", ".join(sorted(set(analysis.run.simulated.values()))))
    if analysis.findings.compared_on == "ttfo_s":
        say("ttfo", "info")
    not_streamed = sum(stats.not_streamed for stats in analysis.findings.totals.values())
    if not_streamed:
        say("not_streamed", "info", n=not_streamed)
    return tuple(found)


def _tiles(analysis: Analysis, words: Catalogue) -> tuple[Tile, ...]:
    findings = analysis.findings
    first = findings.compared_on
    level = findings.table_level
    label = words.text("tile.median", first=words.text(f"first.{first}"))
    if level is not None:
        label = words.text("tile.median_at", first=words.text(f"first.{first}"), level=level)
    tiles = []
    for path, stats in (findings.totals if level is None else findings.by_level[level].paths).items():
        stat = stats.metrics.get(first)
        tiles.append(
            Tile(
                path=path,
                title=words.name("path", path),
                value=words.text("tile.value", p50_s=stat.p50 if stat else None),
                label=label,
                details=(
                    words.text("tile.p95", p95_s=stat.p95 if stat else None),
                    words.text("tile.total", e2e_s=stats.p50("e2e_s")),
                    words.text("tile.n", n=stats.n, failed=stats.failed),
                ),
            )
        )
    return tuple(tiles)
