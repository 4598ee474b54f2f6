"""What a run says of its objectives, and why it might not be trusted with a verdict at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from glm_locust.errors import ConfigError, ExitCode
from glm_locust.report.quality import Quality
from glm_locust.report.reading import RunEnds
from glm_locust.report.statement import Statement
from glm_locust.report.trouble import troubles
from glm_locust.slo import Judge, Objective, Ruling, Verdict, overall, parse


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of one run; at least one, or a problem that kept it from being made."""

    verdicts: tuple[Verdict, ...]
    problems: tuple[Statement, ...]
    """Why no verdict of this run counts."""

    @property
    def ruling(self) -> Ruling:
        """Of the run as a whole."""
        return Ruling.INVALID if self.problems else overall(self.verdicts)

    @property
    def exit_code(self) -> ExitCode:
        """The code that a process ends with."""
        return self.ruling.exit_code

    def of(self, ruling: Ruling) -> tuple[Verdict, ...]:
        """The verdicts that say this."""
        return tuple(verdict for verdict in self.verdicts if verdict.ruling is ruling)


def objectives_of(texts: Sequence[str]) -> tuple[tuple[Objective, ...], tuple[str, ...]]:
    """The objectives of a run's header, and those that this version cannot read."""
    found, unreadable = [], []
    for text in texts:
        try:
            found.append(parse(text))
        except ConfigError:
            unreadable.append(text)
    return tuple(found), tuple(unreadable)


def judgement_of(
    judge: Judge,
    quality: Quality,
    ends: RunEnds,
    *,
    unreadable: Sequence[str] = (),
    allow_lost_workers: bool = False,
) -> Judgement | None:
    """The judgement of all that the judge has heard; None where nothing was asked."""
    verdicts = judge.verdicts()
    if not verdicts and not unreadable:
        return None
    unknown = (Statement("trouble.unknown", {"objective": text}) for text in unreadable)
    return Judgement(verdicts, (*unknown, *troubles(quality, ends, allow_lost_workers=allow_lost_workers)))
