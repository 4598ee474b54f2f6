"""Analysis: everything the report says, computed once, in no language and no format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glm_locust.layers import TruthLine
from glm_locust.records import ErrorKind, Outcome, Phase
from glm_locust.report.breakdown import Breakdown, break_down
from glm_locust.report.claims import Claim, judge
from glm_locust.report.findings import Findings, find_out
from glm_locust.report.headline import headline
from glm_locust.report.judgement import Judgement
from glm_locust.report.quality import Quality, quality_of
from glm_locust.report.reading import RunEnds
from glm_locust.report.recommendations import Recommendation, recommend
from glm_locust.report.sampling import Sampled
from glm_locust.report.statement import Statement
from glm_locust.report.statistics import PathStats
from glm_locust.report.tally import Tally

DIFFERENT_ANSWERS = 0.10
"""Medians of answer lengths further apart than this share of the shorter make "answers differ"."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the header and footer say, read with care: both come from files."""

    run_id: str
    started_ns: int
    ended_ns: int | None
    reason: str
    """As the footer says, or `no_footer`."""
    partial: bool
    simulated: dict[str, str]
    """Path -> preset of the simulated model that answered on it."""
    models: tuple[str, ...]
    header: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerLengths:
    """Characters per answer of one task, at the lowest level."""

    task: str
    paths: dict[str, PathStats]
    differ: bool


@dataclass(frozen=True, slots=True)
class FailureRow:
    """Measured requests of one path that failed in one way."""

    path: str
    kind: ErrorKind
    n: int
    tasks: dict[str, int]
    example: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Every record of the run, warm-up included."""

    ok: int
    failed: int
    cancelled: int
    by_phase: dict[str, dict[str, int]]
    warmup_failures: dict[str, int]


@dataclass(frozen=True, slots=True)
class Analysis:
    """One run."""

    run: RunFacts
    headline: tuple[Statement, ...]
    counts: Counts
    findings: Findings
    breakdown: Breakdown
    answers: tuple[AnswerLengths, ...]
    failures: tuple[FailureRow, ...]
    claims: tuple[Claim, ...]
    recommendations: tuple[Recommendation, ...]
    quality: Quality
    sampled: Sampled | None = None
    """None: nothing was sampled."""
    judgement: Judgement | None = None
    """None: the run was given nothing to meet."""


def analyse(
    tally: Tally,
    ends: RunEnds,
    truth: tuple[list[TruthLine], int] | None,
    sampled: Sampled | None = None,
) -> Analysis:
    """Compute everything from a tally of all records of the run."""
    findings = find_out(tally)
    run = _facts(tally, ends)
    hidden_reasoning = findings.compared_on == "ttfo_s"
    return Analysis(
        run=run,
        headline=headline(findings),
        counts=_counts(tally),
        findings=findings,
        breakdown=break_down(tally, truth, findings, hidden_reasoning=hidden_reasoning),
        answers=tuple(
            _lengths(task, stats) for task in findings.task_ids if (stats := findings.at_table_level(task))
        ),
        failures=_failures(tally, findings.paths),
        claims=judge(findings, sampled.resources if sampled else None, simulated=bool(run.simulated)),
        recommendations=recommend(findings),
        quality=quality_of(tally, ends, findings.overheads),
        sampled=sampled,
    )


def _facts(tally: Tally, ends: RunEnds) -> RunFacts:
    header, footer = ends.header, ends.footer
    targets = {path: target for path, target in header.targets.items() if isinstance(target, dict)}
    return RunFacts(
        run_id=header.run_id,
        started_ns=header.started_ns,
        ended_ns=footer.ended_ns if footer else tally.last_ns,
        reason=footer.reason if footer else "no_footer",
        partial=footer.partial if footer else True,
        simulated={
            path: str(target.get("preset") or "?")
            for path, target in targets.items()
            if target.get("simulated") is True
        },
        models=tuple(
            dict.fromkeys(str(target["model"]) for target in targets.values() if target.get("model"))
        ),
        header={
            "command": list(header.command),
            "seed": header.seed,
            "versions": header.versions,
            "machine": header.machine,
            "workload": header.workload,
            "targets": header.targets,
        },
    )


def _counts(tally: Tally) -> Counts:
    sums = {outcome: sum(of[outcome] for of in tally.outcomes.values()) for outcome in Outcome}
    return Counts(
        ok=sums[Outcome.OK],
        failed=sums[Outcome.FAILED],
        cancelled=sums[Outcome.CANCELLED],
        by_phase={
            phase.value: {outcome.value: tally.outcomes[phase][outcome] for outcome in Outcome}
            for phase in Phase
            if tally.outcomes.get(phase)
        },
        warmup_failures={kind.value: n for kind, n in sorted(tally.warmup_failures.items())},
    )


def _lengths(task: str, stats: dict[str, PathStats]) -> AnswerLengths:
    medians = [p50 for one in stats.values() if (p50 := one.p50("output_chars")) is not None]
    differ = bool(medians) and max(medians) > min(medians) * (1 + DIFFERENT_ANSWERS)
    return AnswerLengths(task, stats, differ)


def _failures(tally: Tally, paths: Sequence[str]) -> tuple[FailureRow, ...]:
    rows = [
        FailureRow(path, kind, failure.n, dict(sorted(failure.tasks.items())), failure.example)
        for (path, kind), failure in tally.failures.items()
    ]
    return tuple(sorted(rows, key=lambda row: (paths.index(row.path), -row.n, row.kind)))
