"""The article's claims, each judged by what this run measured.

A claimed difference is supported where the measured interval meets it, give or take TOLERANCE. What a
simulated model's preset decides is not judged at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from glm_locust.overhead import Interval, contrast
from glm_locust.report import article
from glm_locust.report.amounts import amount
from glm_locust.report.comparison import Overhead
from glm_locust.report.findings import API, JUPYTER, WEB, Findings
from glm_locust.report.resources import Resources
from glm_locust.report.statement import Figure, Statement
from glm_locust.report.statistics import PathStats


class ClaimVerdict(StrEnum):
    """What the run says about a claim."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not_supported"
    NOT_MEASURED = "not_measured"
    PRESET = "set_by_the_preset"


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of the article."""

    claim_id: str
    verdict: ClaimVerdict
    claimed: dict[str, Figure]
    measured: Statement


NOT_MEASURED = Statement("measured.nothing")
TOO_FEW = "measured.too_few"


def judge(findings: Findings, resources: Resources | None = None, *, simulated: bool) -> tuple[Claim, ...]:
    """Every claim with its verdict, in the article's order."""
    # The article's page was inside Jupyter.
    page = JUPYTER if JUPYTER in findings.paths else findings.page
    first = findings.compared_on
    return (
        _times(findings, "api_ttft", (API, first), "api_ttft_s", simulated=simulated),
        _times(findings, "api_total", (API, "e2e_s"), "api_total_s", simulated=simulated),
        _times(findings, "web_ttft", (page, first), "web_ttft_s", simulated=simulated),
        _times(findings, "web_total", (page, "e2e_s"), "web_total_s", simulated=simulated),
        _adds("web_adds_ttft", findings.at_lowest(page, API, first), "ttft_s"),
        _adds("web_adds_total", findings.at_lowest(page, API, "e2e_s"), "total_s"),
        _share(findings.at_lowest(page, API, first), simulated=simulated),
        _complexity(findings, page),
        _concurrency(findings, page),
        _layer("streamlit_layer", findings.at_lowest(WEB, API, first), article.CLAIMED_STREAMLIT_S),
        _layer("jupyter_layer", findings.at_lowest(JUPYTER, WEB, first), article.CLAIMED_JUPYTER_S),
        Claim(
            "browser_layer",
            ClaimVerdict.NOT_MEASURED,
            {"low_s": article.CLAIMED_BROWSER_S[0], "high_s": article.CLAIMED_BROWSER_S[1]},
            Statement("measured.no_browser"),
        ),
        _base64(findings.totals.get(API)),
        *_resources(resources, page, simulated=simulated),
    )


def _times(
    findings: Findings, claim_id: str, what: tuple[str | None, str], column: str, *, simulated: bool
) -> Claim:
    """Absolute times by task; `what` is path and metric."""
    path, metric = what
    claimed = {task: float(getattr(row, column)) for task, row in article.CLAIMED_TIMES.items()}
    said: dict[str, Figure] = {"low_s": min(claimed.values()), "high_s": max(claimed.values())}
    measured = {
        task: median
        for task in claimed
        if path
        and (stats := findings.at_table_level(task).get(path)) is not None
        and (median := stats.p50(metric)) is not None
    }
    if not measured:
        return Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, NOT_MEASURED)
    near = sum(
        abs(median - claimed[task]) <= article.TOLERANCE * claimed[task] for task, median in measured.items()
    )
    figures: dict[str, Figure] = {
        "path": path,
        "low_s": min(measured.values()),
        "high_s": max(measured.values()),
        "near": near,
        "tasks": len(measured),
        "tolerance_share": article.TOLERANCE,
    }
    if simulated:
        return Claim(claim_id, ClaimVerdict.PRESET, said, Statement("measured.times_preset", figures))
    verdict = ClaimVerdict.SUPPORTED if near == len(measured) else ClaimVerdict.NOT_SUPPORTED
    return Claim(claim_id, verdict, said, Statement("measured.times", figures))


def _adds(claim_id: str, row: Overhead | None, column: str) -> Claim:
    gaps = [
        getattr(row, f"web_{column}") - getattr(row, f"api_{column}")
        for row in article.CLAIMED_TIMES.values()
    ]
    said: dict[str, Figure] = {"low_s": min(gaps), "high_s": max(gaps)}
    return _against(claim_id, said, row, (min(gaps), max(gaps)))


def _layer(claim_id: str, row: Overhead | None, claimed_s: float) -> Claim:
    return _against(claim_id, {"claimed_s": claimed_s}, row, (claimed_s, claimed_s))


def _against(
    claim_id: str, said: dict[str, Figure], row: Overhead | None, claimed: tuple[float, float]
) -> Claim:
    """A measured difference against a claimed range, both positive."""
    if row is None:
        return Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, NOT_MEASURED)
    figures = _interval_figures(row.p50.difference) | {
        "path": row.path,
        "base": row.base,
        "n": row.p50.n,
        "n_base": row.p50.n_base,
    }
    low, high = row.p50.difference.low, row.p50.difference.high
    if low is None or high is None:
        return Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, Statement(TOO_FEW, figures))
    meets = low <= claimed[1] * (1 + article.TOLERANCE) and high >= claimed[0] * (1 - article.TOLERANCE)
    verdict = ClaimVerdict.SUPPORTED if meets else ClaimVerdict.NOT_SUPPORTED
    return Claim(claim_id, verdict, said, Statement("measured.difference", figures))


def _share(row: Overhead | None, *, simulated: bool) -> Claim:
    shares = [row.web_ttft_s / row.api_ttft_s - 1 for row in article.CLAIMED_TIMES.values()]
    said: dict[str, Figure] = {"low_share": min(shares), "high_share": max(shares)}
    if row is None or row.p50.ratio is None:
        return Claim("web_share", ClaimVerdict.NOT_MEASURED, said, NOT_MEASURED)
    ratio = row.p50.ratio
    figures: dict[str, Figure] = {
        "ratio_share": ratio.value,
        "low_share": ratio.low,
        "high_share": ratio.high,
        "path": row.path,
        "n": row.p50.n,
        "n_base": row.p50.n_base,
    }
    if simulated:
        # The denominator is the preset's.
        return Claim("web_share", ClaimVerdict.PRESET, said, Statement("measured.share_preset", figures))
    if ratio.low is None or ratio.high is None:
        return Claim(
            "web_share", ClaimVerdict.NOT_MEASURED, said, Statement("measured.share_too_few", figures)
        )
    meets = ratio.low <= max(shares) * (1 + article.TOLERANCE) and ratio.high >= min(shares) * (
        1 - article.TOLERANCE
    )
    verdict = ClaimVerdict.SUPPORTED if meets else ClaimVerdict.NOT_SUPPORTED
    return Claim("web_share", verdict, said, Statement("measured.share", figures))


def _complexity(findings: Findings, page: str | None) -> Claim:
    """Mean overhead of the complex tasks - that of the simple ones."""
    groups = [
        [
            row
            for task in tasks
            if (row := findings.at_lowest(page, API, findings.compared_on, task)) is not None
        ]
        for tasks in (article.SIMPLE_TASKS, article.COMPLEX_TASKS)
    ]
    said: dict[str, Figure] = {}
    simple, complex_ = groups
    if not simple or not complex_:
        return Claim("grows_with_complexity", ClaimVerdict.NOT_MEASURED, said, NOT_MEASURED)
    growth = contrast([row.p50 for row in complex_], [row.p50 for row in simple])
    figures = _interval_figures(growth) | {"n": sum(row.p50.n for row in (*simple, *complex_))}
    return _growth("grows_with_complexity", said, growth, Statement("measured.complexity", figures))


def _concurrency(findings: Findings, page: str | None) -> Claim:
    said: dict[str, Figure] = {}
    rows = [
        (level, row)
        for level in findings.levels
        if (row := findings.overhead(page, API, findings.compared_on, level=level)) is not None
    ]
    if len(rows) < 2:
        return Claim(
            "grows_with_concurrency", ClaimVerdict.NOT_MEASURED, said, Statement("measured.one_level")
        )
    (low_level, low), (high_level, high) = rows[0], rows[-1]
    growth = contrast([high.p50], [low.p50])
    figures = _interval_figures(growth) | {
        "low_level": low_level,
        "high_level": high_level,
        "at_low_s": low.p50.difference.value,
        "at_high_s": high.p50.difference.value,
        "n": low.p50.n + high.p50.n,
    }
    return _growth("grows_with_concurrency", said, growth, Statement("measured.concurrency", figures))


def _growth(claim_id: str, said: dict[str, Figure], growth: Interval, measured: Statement) -> Claim:
    if growth.low is None:
        return Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, Statement(TOO_FEW, measured.figures))
    verdict = ClaimVerdict.SUPPORTED if growth.above_zero else ClaimVerdict.NOT_SUPPORTED
    return Claim(claim_id, verdict, said, measured)


def _base64(stats: PathStats | None) -> Claim:
    said: dict[str, Figure] = {"claimed_share": article.CLAIMED_BASE64_EXTRA}
    ratio = stats.metrics.get("image_bytes_ratio") if stats else None
    if ratio is None:
        return Claim("base64", ClaimVerdict.NOT_MEASURED, said, NOT_MEASURED)
    extra = ratio.p50 - 1
    near = abs(extra - article.CLAIMED_BASE64_EXTRA) <= article.TOLERANCE * article.CLAIMED_BASE64_EXTRA
    figures: dict[str, Figure] = {"extra_share": extra, "n": ratio.n}
    verdict = ClaimVerdict.SUPPORTED if near else ClaimVerdict.NOT_SUPPORTED
    return Claim("base64", verdict, said, Statement("measured.base64", figures))


def _resources(resources: Resources | None, page: str | None, *, simulated: bool) -> Iterator[Claim]:
    """Peak of GPU memory, means of the rest, at the lowest level."""
    gpu_web, gpu_api = (article.CLAIMED_GPU_UTILISATION_PERCENT[path] for path in ("web", "api"))
    memory, cpu, ram = article.CLAIMED_GPU_MEMORY_GB, article.CLAIMED_CPU_PERCENT, article.CLAIMED_RAM_GB
    busy: dict[str, Figure] = {"web": f"{gpu_web[0]}-{gpu_web[1]}", "api": f"{gpu_api[0]}-{gpu_api[1]}"}
    for claim_id, said, which, kind, unit, claimed in (
        ("gpu_memory", _words(memory), "gpu_memory", "peak", "bytes", _times_all(memory, 1e9)),
        (
            "gpu_utilisation",
            busy,
            "gpu_busy",
            "mean",
            "ratio",
            {"web": sum(gpu_web) / 200, "api": sum(gpu_api) / 200},
        ),
        ("cpu", _words(cpu), "cpu", "mean", "ratio", _times_all(cpu, 0.01)),
        ("ram", _words(ram), "memory", "mean", "bytes", _times_all(ram, 1e9)),
    ):
        found = _at_lowest_level(resources, page, which, kind)
        if found is None:
            yield Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, Statement("measured.no_samples"))
            continue
        figures: dict[str, Figure] = {path: amount(value, unit) for path, value in found.items()}
        if simulated:
            measured = Statement("measured.resources_simulated", figures)
            yield Claim(claim_id, ClaimVerdict.NOT_MEASURED, said, measured)
            continue
        near = all(abs(found[path] - claimed[path]) <= article.TOLERANCE * claimed[path] for path in found)
        verdict = ClaimVerdict.SUPPORTED if near else ClaimVerdict.NOT_SUPPORTED
        yield Claim(claim_id, verdict, said, Statement("measured.resources", figures))


def _words(claimed: Mapping[str, float]) -> dict[str, Figure]:
    return {path: f"{value}" for path, value in claimed.items()}


def _times_all(claimed: Mapping[str, float], factor: float) -> dict[str, float]:
    return {path: value * factor for path, value in claimed.items()}


def _at_lowest_level(
    resources: Resources | None, page: str | None, which: str, kind: str
) -> dict[str, float] | None:
    """Page (as `web`) and API; None unless both were sampled apart."""
    if resources is None:
        return None
    found: dict[str, float] = {}
    for name, path in (("web", page), ("api", API)):
        row = next((row for row in resources.rows if row.path is not None and row.path == path), None)
        use = row and resources.figure(row, which)
        if use is None:
            return None
        found[name] = float(getattr(use, kind))
    return found


def _interval_figures(interval: Interval) -> dict[str, Figure]:
    return {"difference_s": interval.value, "low_s": interval.low, "high_s": interval.high}
