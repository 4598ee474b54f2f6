"""Condition: which change fails a comparison, like `ttft p95 > +10 %`.

    condition = [scope ":"] ( metric statistic | "failures" ) comparison [sign] number unit

The unit is `%` of the base, or the metric's own; of failures, percentage points.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from glm_locust.metrics import METRICS, Better
from glm_locust.regression.change import Change, Measure, Place, Verdict
from glm_locust.slo import Comparison, FailureShare, Ruling, Scope
from glm_locust.slo.objective import SHARE
from glm_locust.slo.phrase import FAILURES, Phrase, Sign, short_name


@dataclass(frozen=True, slots=True)
class Condition:
    """A change that must not be."""

    text: str
    scope: Scope
    measure: Measure
    comparison: Comparison
    limit: float
    relative: bool
    """The limit is a share of the base."""

    def concerns(self, measure: Measure, place: Place) -> bool:
        """Whether this change is of the condition: without a scope, of every path as a whole."""
        scope = self.scope
        return (
            measure == self.measure
            and scope.path in (None, place.path)
            and (scope.task, scope.level) == (place.task, place.level)
        )

    def ruling(self, changes: Iterable[Change]) -> tuple[Ruling, tuple[Change, ...]]:
        """Fail where it has come true, and the changes that decide it.

        Invalid where a change is beyond the limit but no difference is shown, and where there is no such
        change: these runs cannot tell.
        """
        mine = [change for change in changes if self.concerns(change.measure, change.place)]
        beyond = tuple(change for change in mine if self._beyond(change))
        shown = tuple(change for change in beyond if change.verdict is Verdict.WORSE)
        if shown:
            return Ruling.FAIL, shown
        if beyond or not mine:
            return Ruling.INVALID, beyond
        return Ruling.PASS, tuple(mine)

    def _beyond(self, change: Change) -> bool:
        if not self.relative:
            return self.comparison.holds(change.difference.value, self.limit)
        if change.relative is not None:
            return self.comparison.holds(change.relative.value, self.limit)
        return self.comparison.holds(change.new, 0.0)  # of a base of 0 no share can be told


def parse_condition(text: str) -> Condition:
    """Read one condition; raises ConfigError with the text and a caret under the place."""
    phrase = Phrase(text)
    token = phrase.take("word", f"a metric or {FAILURES}")
    measure: Measure
    units: tuple[str, ...]
    if token.text == FAILURES:
        measure, better, units = FailureShare(), Better.LOWER, (SHARE,)
    else:
        metric = phrase.metric(token, (FAILURES,))
        measure = phrase.statistic(metric, token.text)
        better, units = METRICS[metric].better, (SHARE, METRICS[metric].unit)
        if better is Better.NONE:
            phrase.fail(f"more {short_name(metric)} is neither better nor worse", token)
    comparison = phrase.comparison()
    sign = phrase.peek()
    negative = False
    if sign is not None and sign.kind == "sign":
        phrase.take("sign", "a sign")
        negative = sign.text != "+"
    amount, unit = phrase.amount(*units)
    _expect_worse(phrase, better, comparison, negative=negative)
    phrase.end("nothing more")
    return Condition(
        text=phrase.text,
        scope=phrase.scope,
        measure=measure,
        comparison=comparison.comparison,
        limit=-amount if negative else amount,
        relative=unit == SHARE and not isinstance(measure, FailureShare),
    )


def _expect_worse(phrase: Phrase, better: Better, sign: Sign, *, negative: bool) -> None:
    """A condition names what is worse: more of what should be little, less of what should be much."""
    if better is Better.LOWER and (sign.comparison.downwards or negative):
        phrase.fail("worse is more of it here: expected > +", sign.token)
    if better is Better.HIGHER and not (sign.comparison.downwards and negative):
        phrase.fail("worse is less of it here: expected < -", sign.token)
