"""Difference: all that the comparison of two runs says, in no language and no format."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.records import RequestRecord
from glm_locust.regression import (
    Change,
    Condition,
    Measure,
    Observations,
    Place,
    Verdict,
    changes,
    different_workloads,
)
from glm_locust.regression.change import DEFAULT_MEASURES, TTFO
from glm_locust.report.quality import Quality, quality_of
from glm_locust.report.reading import RunEnds, read_run
from glm_locust.report.statement import Statement
from glm_locust.report.tally import Tally
from glm_locust.report.trouble import troubles
from glm_locust.slo import MetricStatistic, Ruling


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    directory: Path
    ends: RunEnds
    quality: Quality
    measured: int
    """Measured requests that ended by themselves."""

    @property
    def troubles(self) -> tuple[Statement, ...]:
        """Why the run cannot be trusted."""
        return troubles(self.quality, self.ends)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one condition."""

    condition: Condition
    ruling: Ruling
    changes: tuple[Change, ...]
    """Those that decide it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """New against base."""

    base: Side
    new: Side
    changes: tuple[Change, ...]
    decisions: tuple[Decision, ...]
    workload: tuple[str, ...]
    """What the runs did not ask alike."""
    smallest_change: float

    def of(self, verdict: Verdict) -> tuple[Change, ...]:
        """The changes of which this may be said."""
        return tuple(change for change in self.changes if change.verdict is verdict)

    @property
    def ruling(self) -> Ruling:
        """Of all conditions: invalid before fail before pass."""
        found = {decision.ruling for decision in self.decisions}
        if found and (self.base.troubles or self.new.troubles):
            return Ruling.INVALID
        return next((one for one in (Ruling.INVALID, Ruling.FAIL) if one in found), Ruling.PASS)


def difference_of(
    base: Path,
    new: Path,
    conditions: Sequence[Condition],
    *,
    allow_different_workload: bool,
    smallest_change: float,
) -> Difference:
    """Compare two run directories; raises ConfigError where they cannot be compared."""
    wanted: list[Measure] = [condition.measure for condition in conditions]
    measures = (*DEFAULT_MEASURES, TTFO, *wanted)
    one, of_base = _read(base, measures)
    other, of_new = _read(new, measures)
    unlike = different_workloads(one.ends.header, other.ends.header)
    if unlike and not allow_different_workload:
        raise ConfigError(
            f"{base} and {new} asked different things ({'; '.join(unlike)}); "
            "--allow-different-workload compares them all the same"
        )
    if not set(of_base.paths) & set(of_new.paths):
        raise ConfigError(f"{base} and {new} have no path in common that was answered")

    def asked_for(measure: Measure, place: Place) -> bool:
        return any(condition.concerns(measure, place) for condition in conditions)

    reasoned = any(run.reasoned[path] for run in (of_base, of_new) for path in run.paths)
    chosen = (*DEFAULT_MEASURES, *([TTFO] if reasoned else ()), *wanted)
    found = changes(of_base, of_new, chosen, smallest_change=smallest_change, wanted=asked_for)
    return Difference(
        base=one,
        new=other,
        changes=found,
        decisions=tuple(Decision(condition, *condition.ruling(found)) for condition in conditions),
        workload=unlike,
        smallest_change=smallest_change,
    )


def _read(run_dir: Path, measures: Sequence[Measure]) -> tuple[Side, Observations]:
    observations = Observations(
        dict.fromkeys(one.metric for one in measures if isinstance(one, MetricStatistic))
    )
    tally = Tally()

    def admit(record: RequestRecord) -> None:
        if tally.add(record):
            observations.add(record)

    ends = read_run(run_dir, admit)
    measured = sum(observations.ended.values())
    if not measured:
        raise ConfigError(f"{run_dir}: holds no measured request")
    return Side(run_dir, ends, quality_of(tally, ends, ()), measured), observations
