"""summary.json: the figures for machines; `docs/summary.schema.json` says what is in it."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from glm_locust.overhead import Difference, Interval
from glm_locust.report.analysis import Analysis
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.comparison import Overhead
from glm_locust.report.judgement import Judgement
from glm_locust.report.sample_figures import correlation_figures, resource_figures
from glm_locust.report.sections.objectives import sentence
from glm_locust.report.statement import Statement
from glm_locust.report.statistics import PathStats, Stat
from glm_locust.slo import Verdict

SCHEMA_VERSION = 1
"""Raised when a key changes its meaning or goes away; new keys raise nothing."""


def summary_json(analysis: Analysis, words: Catalogue) -> str:
    """The whole file."""
    return json.dumps(summary(analysis, words), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def summary(analysis: Analysis, words: Catalogue) -> dict[str, Any]:
    """The same as plain dicts and lists; durations are seconds, shares are fractions of 1."""
    findings = analysis.findings
    return {
        "schema_version": SCHEMA_VERSION,
        "run": _run(analysis, words),
        "verdicts": _verdicts(analysis.judgement, words),
        "headline": [words.say(statement) for statement in analysis.headline],
        "counts": asdict(analysis.counts),
        "compared_on": findings.compared_on,
        "paths": {path: _path(stats) for path, stats in findings.totals.items()},
        "tasks": _tasks(findings.tasks),
        "levels": {
            str(level): {
                "paths": {path: _path(stats) for path, stats in of.paths.items()},
                "tasks": _tasks(of.tasks),
            }
            for level, of in findings.by_level.items()
        },
        "overhead": [_overhead(row) for row in findings.overheads],
        "layers": _layers(analysis),
        "bytes": {
            path: {
                name: _stat(stats.metrics.get(name))
                for name in ("image_bytes", "image_bytes_out", "image_bytes_ratio", "bytes_out", "bytes_in")
            }
            for path, stats in findings.totals.items()
        },
        "answers": {
            lengths.task: {
                "differ": lengths.differ,
                "output_chars_p50": {path: one.p50("output_chars") for path, one in lengths.paths.items()},
                "e2e_per_char_s_p50": {
                    path: one.p50("e2e_per_char_s") for path, one in lengths.paths.items()
                },
            }
            for lengths in analysis.answers
        },
        "failures": [
            {"path": row.path, "kind": row.kind.value, "n": row.n, "tasks": row.tasks, "example": row.example}
            for row in analysis.failures
        ],
        "claims": [
            {
                "id": claim.claim_id,
                "claim": words.text(f"claim.{claim.claim_id}", **claim.claimed),
                "verdict": claim.verdict.value,
                "measured": words.say(claim.measured),
                "claimed": claim.claimed,
                "figures": _figures(claim.measured),
            }
            for claim in analysis.claims
        ],
        "recommendations": [
            {
                "use": one.use,
                "advice": words.say(one.advice),
                "rests_on": words.say(one.rests_on),
                "measured": one.measured,
                "figures": _figures(one.rests_on),
            }
            for one in analysis.recommendations
        ],
        "quality": _quality(analysis),
        "resources": resource_figures(analysis.sampled),
        "correlation": correlation_figures(analysis.sampled),
    }


def _run(analysis: Analysis, words: Catalogue) -> dict[str, Any]:
    facts = analysis.run
    return {
        "run_id": facts.run_id,
        "started": _iso(facts.started_ns),
        "ended": _iso(facts.ended_ns),
        "partial": facts.partial,
        "reason": facts.reason,
        "simulated": facts.simulated,
        "language": words.language,
        **facts.header,
    }


def _verdicts(judgement: Judgement | None, words: Catalogue) -> dict[str, Any] | None:
    if judgement is None:
        return None
    return {
        "ruling": judgement.ruling.value,
        "problems": [words.say(problem) for problem in judgement.problems],
        "objectives": [_verdict(verdict, words) for verdict in judgement.verdicts],
    }


def _verdict(verdict: Verdict, words: Catalogue) -> dict[str, Any]:
    objective = verdict.objective
    return {
        "objective": objective.text,
        **asdict(objective.scope),
        "ruling": verdict.ruling.value,
        "reason": verdict.reason.value if verdict.reason else None,
        "measured": verdict.measured,
        "comparison": objective.comparison.value,
        "limit": objective.limit,
        "unit": objective.measure.unit,
        "n": verdict.n,
        "needed": objective.needed,
        "window_s": objective.window_s,
        "windows": asdict(verdict.windows) if verdict.windows else None,
        "said": sentence(verdict, words),
    }


def _iso(at_ns: int | None) -> str | None:
    if at_ns is None:
        return None
    try:
        return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return None


def _tasks(tasks: dict[str, dict[str, PathStats]]) -> dict[str, Any]:
    return {task: {path: _path(stats) for path, stats in paths.items()} for task, paths in tasks.items()}


def _path(stats: PathStats) -> dict[str, Any]:
    return {
        "n": stats.n,
        "failed": stats.failed,
        "cancelled": stats.cancelled,
        "failed_share": stats.failed_share,
        "not_streamed": stats.not_streamed,
        "reasoned": stats.reasoned,
        "requests_per_s": stats.requests_per_s,
        **{name: _stat(stat) for name, stat in stats.metrics.items()},
    }


def _stat(stat: Stat | None) -> dict[str, Any] | None:
    if stat is None:
        return None
    return {
        "n": stat.n,
        "p50": stat.p50,
        "p95": stat.p95,
        "p99": stat.p99,
        "mean": stat.mean,
        "min": stat.minimum,
        "max": stat.maximum,
    }


def _overhead(row: Overhead) -> dict[str, Any]:
    return {
        "path": row.path,
        "base": row.base,
        "task": row.task,
        "level": row.level,
        "metric": row.metric,
        "stamps": row.stamps,
        "n": row.p50.n,
        "n_base": row.p50.n_base,
        "p50": _difference(row.p50),
        "p95": _difference(row.p95) if row.p95 else None,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "path": one.path,
        "base": one.base,
        "difference": _interval(one.difference),
        "ratio": _interval(one.ratio) if one.ratio else None,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def _layers(analysis: Analysis) -> dict[str, Any]:
    breakdown = analysis.breakdown
    return {
        "log_lines": breakdown.log_lines,
        "bad_lines": breakdown.bad_lines,
        "joined": breakdown.joined,
        "unmatched": breakdown.unmatched,
        "ambiguous": breakdown.ambiguous,
        "rows": [
            {
                "path": row.path,
                "task": row.task,
                "level": row.level,
                "ttft_s": _stat(row.ttft),
                "layers_s": {layer.value: _stat(stat) for layer, stat in row.layers.items()},
            }
            for row in breakdown.rows
        ],
    }


def _figures(statement: Statement) -> dict[str, Any]:
    """The statement's figures, those of its parts among them."""
    found: dict[str, Any] = {}
    for name, value in statement.figures.items():
        if isinstance(value, Statement):
            found |= _figures(value)
        else:
            found[name] = value
    return found


def _quality(analysis: Analysis) -> dict[str, Any]:
    facts = analysis.quality
    return {
        "send_lag_s": _stat(facts.send_lag),
        "generator_lag_s": _stat(facts.generator_lag),
        "stamps": facts.stamps,
        "workers": {
            worker.worker_id: {
                "records": worker.records,
                "missing": worker.missing,
                "lost": worker.lost,
                "said": worker.said,
            }
            for worker in facts.workers
        },
        "duplicates": facts.duplicates,
        "foreign": facts.foreign,
        "missing": facts.missing,
        "unreadable_lines": facts.unreadable_lines,
        "cut_off": facts.cut_off,
        "locust_requests": facts.locust_requests,
        "footer_counts": facts.footer_counts,
        "notes": list(facts.notes),
        "arrivals": None if facts.arrivals is None else asdict(facts.arrivals),
    }
