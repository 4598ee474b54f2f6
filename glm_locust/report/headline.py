"""The verdict in two sentences."""

from glm_locust.report.comparison import Overhead
from glm_locust.report.findings import API, JUPYTER, WEB, Findings
from glm_locust.report.statement import Figure, Statement

NOTHING = Statement("nothing")
"""Says nothing: a part of a sentence that is left out."""


def direction(row: Overhead) -> str:
    """more | less | same | unsure: what the interval of the median allows to say."""
    interval = row.p50.difference
    if interval.low is None:
        return "unsure"
    return "more" if interval.above_zero else "less" if interval.below_zero else "same"


def figures_of(row: Overhead) -> dict[str, Figure]:
    """The figures of one difference of medians, for a sentence; a slower base turns the sign round."""
    interval, sign = row.p50.difference, 1
    if interval.below_zero:
        sign = -1
    low, high = interval.low, interval.high
    if low is not None and high is not None and sign < 0:
        low, high = -high, -low
    return {
        "path": row.path,
        "base": row.base,
        "difference_s": sign * interval.value,
        "low_s": low,
        "high_s": high,
        "ratio_share": abs(row.p50.ratio.value) if row.p50.ratio else None,
        "n": row.p50.n,
        "n_base": row.p50.n_base,
    }


def headline(findings: Findings) -> tuple[Statement, ...]:
    """Two statements: the first token, and the whole answer with failures."""
    first, totals = findings.compared_on, findings.totals
    answered = sum(stats.n for stats in totals.values())
    failed = sum(stats.failed for stats in totals.values())
    counts: dict[str, Figure] = {"failed": failed, "requests": answered + failed}
    if answered == 0:
        return (Statement("headline.nothing", counts),)
    ttft = findings.at_lowest(findings.page, API, first)
    e2e = findings.at_lowest(findings.page, API, "e2e_s")
    if ttft is None or e2e is None:
        only = max(findings.paths, key=lambda path: totals[path].n)
        known = totals[only]
        alone: dict[str, Figure] = {"path": only, "n": known.n}
        alone |= {"ttft_s": known.p50(first), "e2e_s": known.p50("e2e_s")}
        return (Statement("headline.one_path", counts | alone), Statement("headline.failures", counts))
    word = "ttfo" if first == "ttfo_s" else "ttft"
    around: dict[str, Figure] = {"where": where(findings), "further": _under_load(findings)}
    return (
        Statement(f"headline.{word}.{direction(ttft)}", around | figures_of(ttft)),
        Statement(f"headline.e2e.{direction(e2e)}", counts | {"hop": _hop(findings)} | figures_of(e2e)),
    )


def where(findings: Findings) -> Statement:
    """At which load the figures of the article's table were taken."""
    level = findings.table_level
    return Statement("where.all") if level is None else Statement("where.level", {"level": level})


def _under_load(findings: Findings) -> Statement:
    """The same difference at the highest level, where there are several."""
    if len(findings.levels) < 2:
        return NOTHING
    level = findings.levels[-1]
    row = findings.overhead(findings.page, API, findings.compared_on, level=level)
    if row is None:
        return NOTHING
    interval = row.p50.difference
    return Statement(
        "headline.further",
        {"level": level, "added_s": interval.value, "low_s": interval.low, "high_s": interval.high},
    )


def _hop(findings: Findings) -> Statement:
    row = findings.at_lowest(JUPYTER, WEB, findings.compared_on)
    return NOTHING if row is None else Statement(f"headline.hop.{direction(row)}", figures_of(row))
