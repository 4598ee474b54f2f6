"""summary.json: the figures that come from samples."""

from typing import Any

from glm_locust.correlate.verdict import Finding
from glm_locust.report.resources import PathUse
from glm_locust.report.sampling import Sampled


def resource_figures(sampled: Sampled | None) -> dict[str, Any] | None:
    """Use of every reading by path and level; None where nothing was sampled."""
    if sampled is None:
        return None
    return {
        "sources": [
            {
                "name": one.name,
                "kind": one.kind,
                "url": one.url,
                "readings": one.readings,
                "samples": one.samples,
            }
            for one in sampled.sources
        ],
        "missing": list(sampled.missing),
        "gaps": [{"source": gap.source, "at_ns": gap.at_ns, "why": gap.why} for gap in sampled.gaps],
        "lost_rows": sampled.readings.lost_rows,
        "clock_bounds_s": {
            f"{source} {worker}": line.bound_s for (source, worker), line in sampled.readings.clocks.items()
        },
        "trouble": sampled.trouble,
        "apart": sampled.resources.apart,
        "main": {which: list(names) for which, names in sampled.resources.main.items()},
        "by_path": [_use(row, sampled) for row in sampled.resources.rows],
    }


def _use(row: PathUse, sampled: Sampled) -> dict[str, Any]:
    return {
        "path": row.path,
        "level": row.level,
        "n": row.n,
        "duration_s": row.duration_s,
        "readings": {
            name: {
                "device": sampled.readings.readings[name].device,
                "quantity": sampled.readings.readings[name].quantity,
                "unit": sampled.readings.readings[name].unit,
                "mean": use.mean,
                "peak": use.peak,
                "coverage": use.coverage,
            }
            for name, use in row.readings.items()
        },
    }


def correlation_figures(sampled: Sampled | None) -> dict[str, Any] | None:
    """What TTFT moved with; None where nothing could be tested."""
    if sampled is None or sampled.correlation is None:
        return None
    correlation, readings = sampled.correlation, sampled.readings.readings
    judgement = correlation.judgement
    return {
        "n": correlation.n,
        "run_s": judgement.run_s,
        "verdict": judgement.verdict,
        "low_power": judgement.low_power,
        "findings": [_finding(finding, readings[finding.name].window) for finding in judgement.findings],
        "variance": correlation.variance,
        "slowest": [
            {
                "worker_id": one.record.worker_id,
                "seq": one.record.seq,
                "path": one.record.path,
                "task": one.record.task,
                "level": one.record.level,
                "ttft_s": one.ttft_s,
                "readings": one.readings,
            }
            for one in correlation.slowest
        ],
    }


def _finding(finding: Finding, window: str) -> dict[str, Any]:
    association, lag = finding.association, finding.lag
    return {
        "reading": finding.name,
        "window": window,
        "n": association.n,
        "raw_rho": association.raw_rho,
        "rho": association.rho,
        "low": finding.interval[0],
        "high": finding.interval[1],
        "p": association.p,
        "p_adjusted": finding.p_adjusted,
        "coverage": finding.coverage,
        "resolution": finding.resolution,
        "least_rho": association.null_rho,
        "claimed": finding.claimed,
        "words": finding.words,
        "lag_s": None if lag is None else lag.best_lag_s,
        "lag_p": None if lag is None else lag.p,
    }
