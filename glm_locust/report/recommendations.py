"""Which path for which use, each with the figure of this run that it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass

from glm_locust.report.comparison import Overhead
from glm_locust.report.findings import API, JUPYTER, WEB, Findings
from glm_locust.report.headline import direction, figures_of
from glm_locust.report.statement import Figure, Statement
from glm_locust.report.statistics import PathStats

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
        _quick_trial(findings.overhead(page, API, first)),
        _ci_and_batch(findings.overhead(page, API, "e2e_s"), findings.totals),
        _shared_debugging(findings.overhead(JUPYTER, WEB, first)),
        _production(findings),
    )


def _not_measured(use: str, needs: str) -> Recommendation:
    return Recommendation(use, Statement(f"use.{use}.open"), Statement(f"needs.{needs}"), measured=False)


def _quick_trial(row: Overhead | None) -> Recommendation:
    if row is None:
        return _not_measured("quick_trial", "page_and_api")
    fine = row.p50.difference.value < NOTICED_S
    advice = Statement(f"use.quick_trial.{'page' if fine else 'api'}", {"noticed_s": NOTICED_S})
    return Recommendation("quick_trial", advice, _on_first_token(row))


def _ci_and_batch(row: Overhead | None, totals: Mapping[str, PathStats]) -> Recommendation:
    if row is None:
        return _not_measured("ci_and_batch", "page_and_api")
    figures: dict[str, Figure] = figures_of(row)
    for path in (row.path, row.base):
        side = "base" if path == row.base else "path"
        figures[f"{side}_failed"] = totals[path].failed
        figures[f"{side}_requests"] = totals[path].n + totals[path].failed
    slower = direction(row) == "more"
    advice = Statement(f"use.ci_and_batch.{'api' if slower else 'either'}")
    return Recommendation("ci_and_batch", advice, Statement(f"rests.total.{direction(row)}", figures))


def _shared_debugging(row: Overhead | None) -> Recommendation:
    if row is None:
        return _not_measured("shared_debugging", "jupyter")
    fine = row.p50.difference.value < NOTICED_S
    advice = Statement(f"use.shared_debugging.{'jupyter' if fine else 'page'}", {"noticed_s": NOTICED_S})
    return Recommendation("shared_debugging", advice, _on_first_token(row))


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


def _on_first_token(row: Overhead) -> Statement:
    return Statement(f"rests.first.{direction(row)}", figures_of(row))
