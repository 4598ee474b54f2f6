"""Which path for which use, each with the figure of this run that it rests on."""

from dataclasses import dataclass

from glm_locust.report.comparison import Overhead
from glm_locust.report.findings import API, JUPYTER, WEB, Findings
from glm_locust.report.headline import direction, figures_of, where
from glm_locust.report.statement import Figure, Statement

NOTICED_S = 1.0
"""Delay that breaks a person's train of thought (Nielsen, Usability Engineering, 1993, chapter 5)."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One use; `measured` is false where nothing in this run bears on it."""

    use: str
    advice: Statement
    rests_on: Statement
    measured: bool = True


def recommend(findings: Findings) -> tuple[Recommendation, ...]:
    """The four uses of the article."""
    first, page = findings.compared_on, findings.page
    return (
        _quick_trial(findings.at_lowest(page, API, first), where(findings)),
        _ci_and_batch(findings),
        _shared_debugging(findings.at_lowest(JUPYTER, WEB, first), where(findings)),
        _production(findings),
    )


def _not_measured(use: str, needs: str) -> Recommendation:
    return Recommendation(use, Statement(f"use.{use}.open"), Statement(f"needs.{needs}"), measured=False)


def _quick_trial(row: Overhead | None, at: Statement) -> Recommendation:
    if row is None:
        return _not_measured("quick_trial", "page_and_api")
    fine = row.p50.difference.value < NOTICED_S
    advice = Statement(f"use.quick_trial.{'page' if fine else 'api'}", {"noticed_s": NOTICED_S})
    return Recommendation("quick_trial", advice, _on_first_token(row, at))


def _ci_and_batch(findings: Findings) -> Recommendation:
    """At the highest level: a batch keeps the server busy."""
    level = findings.levels[-1] if findings.levels else None
    row = findings.overhead(findings.page, API, "e2e_s", level=level)
    if row is None:
        return _not_measured("ci_and_batch", "page_and_api")
    stats = findings.totals if level is None else findings.by_level[level].paths
    at = Statement("where.all") if level is None else Statement("where.level", {"level": level})
    figures: dict[str, Figure] = figures_of(row) | {"where": at}
    for side, path in (("path", row.path), ("base", row.base)):
        figures[f"{side}_failed"] = stats[path].failed
        figures[f"{side}_requests"] = stats[path].n + stats[path].failed
    slower = direction(row) == "more"
    advice = Statement(f"use.ci_and_batch.{'api' if slower else 'either'}")
    return Recommendation("ci_and_batch", advice, Statement(f"rests.total.{direction(row)}", figures))


def _shared_debugging(row: Overhead | None, at: Statement) -> Recommendation:
    if row is None:
        return _not_measured("shared_debugging", "jupyter")
    fine = row.p50.difference.value < NOTICED_S
    advice = Statement(f"use.shared_debugging.{'jupyter' if fine else 'page'}", {"noticed_s": NOTICED_S})
    return Recommendation("shared_debugging", advice, _on_first_token(row, at))


def _production(findings: Findings) -> Recommendation:
    """By how TTFT grew from the lowest to the highest level."""
    page, first = findings.page, findings.compared_on
    by_level = {level: stats.paths for level, stats in findings.by_level.items()}
    levels = [
        level
        for level in findings.levels
        if page and all(path in by_level[level] and by_level[level][path].p50(first) for path in (page, API))
    ]
    if page is None or len(levels) < 2:
        return _not_measured("production", "levels")
    figures: dict[str, Figure] = {"path": page, "low_level": levels[0], "high_level": levels[-1]}
    grown = {}
    for side, path in (("path", page), ("base", API)):
        low, high = (by_level[level][path] for level in (levels[0], levels[-1]))
        before, after = low.p50(first) or 0.0, high.p50(first) or 0.0
        figures |= {
            f"{side}_low_s": before,
            f"{side}_high_s": after,
            f"{side}_failed": high.failed,
            f"{side}_requests": high.n + high.failed,
        }
        grown[side] = after / before
    api_holds = grown["base"] <= grown["path"]
    advice = Statement(f"use.production.{'api' if api_holds else 'unclear'}")
    return Recommendation("production", advice, Statement("rests.levels", figures))


def _on_first_token(row: Overhead, at: Statement) -> Statement:
    return Statement(f"rests.first.{direction(row)}", figures_of(row) | {"where": at})
