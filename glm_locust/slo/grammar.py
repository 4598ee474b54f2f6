"""From text to Objective.

objective  = [scope ":"] measure comparison number unit ["over" number duration]
scope      = [path] ["/" task] ["@" level]
measure    = metric statistic | "failures" | "goodput" "(" condition {"," condition} ")"
condition  = metric comparison number unit
statistic  = "p50" | "p95" | ... | "median" | "mean" | "min" | "max"
comparison = "<" | "<=" | ">" | ">="
"""

from glm_locust.metrics import METRICS, Better
from glm_locust.slo.objective import (
    PER_SECOND,
    SHARE,
    Condition,
    FailureShare,
    Goodput,
    Measure,
    MetricStatistic,
    Objective,
)
from glm_locust.slo.phrase import FAILURES, Phrase, Sign, short_name

GOODPUT = "goodput"


def parse(text: str) -> Objective:
    """Read one objective; raises ConfigError with the text and a caret under the place."""
    phrase = Phrase(text)
    measure = _measure(phrase)
    sign = phrase.comparison()
    match measure:
        case MetricStatistic(metric=metric):
            limit = _limit(phrase, metric, sign)
        case FailureShare():
            limit = _share(phrase, sign, downwards=True)
        case Goodput():
            measure, limit = _goodput_limit(phrase, measure, sign)
    window_s = _window(phrase)
    phrase.end("nothing more, or over and a duration like 30 s")
    return Objective(phrase.text, phrase.scope, measure, sign.comparison, limit, window_s)


def _measure(phrase: Phrase) -> Measure:
    token = phrase.take("word", f"a metric, {FAILURES} or {GOODPUT}(...)")
    if token.text == FAILURES:
        return FailureShare()
    if token.text == GOODPUT:
        return Goodput(_conditions(phrase))
    return phrase.statistic(phrase.metric(token, (FAILURES, GOODPUT)), token.text)


def _conditions(phrase: Phrase) -> tuple[Condition, ...]:
    phrase.take("mark", "an opening parenthesis", "(")
    found = []
    while True:
        metric = phrase.metric(phrase.take("word", "a metric"))
        sign = phrase.comparison(f"<, <=, > or >=: in {GOODPUT} each request is judged by itself")
        found.append(Condition(metric, sign.comparison, _limit(phrase, metric, sign)))
        if phrase.take("mark", "a comma or a closing parenthesis", ",)").text == ")":
            return tuple(found)


def _limit(phrase: Phrase, name: str, sign: Sign) -> float:
    metric = METRICS[name]
    limit, _ = phrase.amount(metric.unit)
    if metric.better is (Better.HIGHER if sign.comparison.downwards else Better.LOWER):
        better = "< or <=" if metric.better is Better.LOWER else "> or >="
        phrase.fail(f"{short_name(name)} is better when {metric.better}: expected {better}", sign.token)
    return limit


def _share(phrase: Phrase, sign: Sign, *, downwards: bool) -> float:
    if sign.comparison.downwards is not downwards:
        phrase.fail(f"expected {'< or <=' if downwards else '> or >='}", sign.token)
    number = phrase.peek()
    limit, _ = phrase.amount(SHARE)
    if limit > 1 or not sign.comparison.holds(0.0 if downwards else 1.0, limit):
        assert number is not None
        phrase.fail("no run can meet this share" if limit <= 1 else "expected at most 100 %", number)
    return limit


def _goodput_limit(phrase: Phrase, measure: Goodput, sign: Sign) -> tuple[Goodput, float]:
    unit = phrase.peek(1)
    if unit is None or unit.text != PER_SECOND:
        return measure, _share(phrase, sign, downwards=False)
    if sign.comparison.downwards:
        phrase.fail("expected > or >=", sign.token)
    return Goodput(measure.conditions, per_second=True), phrase.amount(PER_SECOND)[0]


def _window(phrase: Phrase) -> float | None:
    token = phrase.peek()
    if token is None or token.text != "over":
        return None
    phrase.take("word", "over")
    number = phrase.peek()
    window_s, _ = phrase.amount("s")
    if window_s < 1:
        assert number is not None
        phrase.fail("expected a window of at least 1 s", number)
    return window_s
