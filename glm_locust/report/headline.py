"""The verdict in two sentences."""

from collections.abc import Sequence

from glm_locust.report.comparison import Overhead
from glm_locust.report.findings import API, JUPYTER, WEB, Findings
from glm_locust.report.statement import Figure, Statement


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
    counts: dict[str, Figure] = {
        "failed": failed,
        "requests": answered + failed,
        "tasks": len(findings.task_ids),
        "levels": _span(findings.levels),
    }
    if answered == 0:
        return (Statement("headline.nothing", counts),)
    ttft = findings.overhead(findings.page, API, first)
    e2e = findings.overhead(findings.page, API, "e2e_s")
    if ttft is None or e2e is None:
        only = max(findings.paths, key=lambda path: totals[path].n)
        known = totals[only]
        alone: dict[str, Figure] = {"path": only, "n": known.n}
        alone |= {"ttft_s": known.p50(first), "e2e_s": known.p50("e2e_s")}
        return (Statement("headline.one_path", counts | alone), Statement("headline.failures", counts))
    word = "ttfo" if first == "ttfo_s" else "ttft"
    hop = findings.overhead(JUPYTER, WEB, first)
    second = "headline.e2e_and_hop" if hop else "headline.e2e"
    added: dict[str, Figure] = {"hop_s": hop.p50.difference.value if hop else None}
    return (
        Statement(f"headline.{word}.{direction(ttft)}", counts | figures_of(ttft)),
        Statement(f"{second}.{direction(e2e)}", counts | figures_of(e2e) | added),
    )


def _span(levels: Sequence[int]) -> str:
    if not levels:
        return "?"
    return str(levels[0]) if len(levels) == 1 else f"{levels[0]}-{levels[-1]}"
