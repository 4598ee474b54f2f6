"""From text to Objective: a small grammar whose every mistake is shown by a caret under its place.

objective  = [scope ":"] measure comparison number unit ["over" number duration]
scope      = [path] ["/" task] ["@" level]
measure    = metric statistic | "failures" | "goodput" "(" condition {"," condition} ")"
condition  = metric comparison number unit
statistic  = "p50" | "p95" | ... | "median" | "mean" | "min" | "max"
comparison = "<" | "<=" | ">" | ">="
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from glm_locust.errors import ConfigError, did_you_mean
from glm_locust.metrics import METRICS, Better, Metric
from glm_locust.slo.objective import (
    PER_SECOND,
    SHARE,
    Comparison,
    Condition,
    FailureShare,
    Goodput,
    Measure,
    MetricStatistic,
    Objective,
    Scope,
)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_]\w*(?:\.\d+)?(?:/[A-Za-z]+)?|%)
      | (?P<comparison><=|>=|≤|≥|<|>)
      | (?P<mark>[(),])
      | (?P<other>\S)
    )""",
    re.VERBOSE,
)
_SCOPE = re.compile(r"(?P<path>[^\s/@]+)?(?:/(?P<task>[^\s/@]+))?(?:@(?P<level>[1-9]\d{0,8}))?")
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_WRITTEN = {"≤": "<=", "≥": ">="}

_UNITS: Mapping[str, Mapping[str, Fraction]] = {
    "s": {"s": Fraction(1), "ms": Fraction(1, 1000), "us": Fraction(1, 1_000_000), "min": Fraction(60)},
    "bytes": {"bytes": Fraction(1), "B": Fraction(1), "kB": Fraction(1000), "MB": Fraction(1_000_000)},
    SHARE: {"%": Fraction(1, 100)},
    **{
        unit: {unit: Fraction(1)} for unit in ("tokens", "tokens/s", "characters", "characters/s", PER_SECOND)
    },
}
"""Unit of a measure -> the units it may be typed in, and how many of its own each is."""
_NO_UNIT = "1"

FAILURES = "failures"
GOODPUT = "goodput"
_QUANTILES = {"median": 0.5, "min": 0.0, "max": 1.0, "mean": None}
_STATISTICS = ("p50", "p90", "p95", "p99", *_QUANTILES)


def _short(name: str) -> str:
    return name.removesuffix("_s") if METRICS[name].unit == "s" else name


_NAMES = {_short(name): name for name in METRICS} | {name: name for name in METRICS}
"""What a metric may be called -> its name; `ttft` is `ttft_s`."""


def metric_named(word: str) -> str | None:
    """The metric of this name, with or without the unit at its end; None where there is none."""
    return _NAMES.get(word)


def metric_hint(word: str, further: Iterable[str] = ()) -> str:
    """What to say of a name that is no metric."""
    names = [*further, *(_short(name) for name in METRICS)]
    return did_you_mean(word, names) or f"; metrics are {', '.join(names)}"


def parse(text: str) -> Objective:
    """Read one objective; raises ConfigError with the text and a caret under the place."""
    return _Reader(text).objective()


def caret(problem: str, text: str, place: int) -> ConfigError:
    """The error for what is wrong at this character of the text."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown[:place].ljust(place))
    return ConfigError(f"{problem}\n  {shown}\n  {' ' * columns}^")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    place: int


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip()
        self._tokens: list[_Token] = []
        self._next = 0

    def objective(self) -> Objective:
        scope, begin = self._scope()
        self._tokens = list(_tokens(self._text, begin))
        measure = self._measure()
        comparison = self._comparison()
        if isinstance(measure, MetricStatistic):
            limit = self._amount(METRICS[measure.metric].unit)
            self._expect_direction(METRICS[measure.metric], comparison)
        elif isinstance(measure, FailureShare):
            limit = self._share(comparison, downwards=True)
        else:
            measure, limit = self._goodput_limit(measure, comparison)
        window_s = self._window()
        if (token := self._peek()) is not None:
            self._fail("expected nothing more, or over and a duration like 30 s", token)
        return Objective(self._text.strip(), scope, measure, comparison.sign, limit, window_s)

    def _scope(self) -> tuple[Scope, int]:
        before, colon, _ = self._text.partition(":")
        if not colon:
            return Scope(), 0
        written = before.strip()
        found = _SCOPE.fullmatch(written)
        if found is None or not written:
            self._fail_at("expected a path before the colon, like web, web/ocr or web@4", _lead(self._text))
        level = found["level"]
        return Scope(found["path"], found["task"], int(level) if level else None), len(before) + 1

    def _measure(self) -> Measure:
        token = self._take("word", f"a metric, {FAILURES} or {GOODPUT}(...)")
        if token.text == FAILURES:
            return FailureShare()
        if token.text == GOODPUT:
            return Goodput(self._conditions())
        metric = self._metric(token, (FAILURES, GOODPUT))
        return MetricStatistic(metric, *self._statistic(token.text))

    def _metric(self, token: _Token, further: Iterable[str] = ()) -> str:
        metric = metric_named(token.text)
        if metric is None:
            self._fail(f"no metric is called {token.text}{metric_hint(token.text, further)}", token)
        return metric

    def _statistic(self, metric: str) -> tuple[str, float | None]:
        token = self._take("word", f"a statistic of {metric}: {', '.join(_STATISTICS)}")
        if token.text in _QUANTILES:
            return token.text, _QUANTILES[token.text]
        found = _PERCENTILE.fullmatch(token.text)
        if found is None or not float(found[1]):
            self._fail(
                f"expected a statistic of {metric}: {', '.join(_STATISTICS)}"
                f"{did_you_mean(token.text, _STATISTICS)}",
                token,
            )
        return token.text, round(float(found[1]) / 100, 10)

    def _conditions(self) -> tuple[Condition, ...]:
        self._take_mark("(", "an opening parenthesis")
        found = []
        while True:
            metric = self._metric(self._take("word", "a metric"))
            comparison = self._comparison(f"<, <=, > or >=: in {GOODPUT} each request is judged by itself")
            limit = self._amount(METRICS[metric].unit)
            self._expect_direction(METRICS[metric], comparison)
            found.append(Condition(metric, comparison.sign, limit))
            if self._take("mark", "a comma or a closing parenthesis", ",)").text == ")":
                return tuple(found)

    def _comparison(self, expected: str = "<, <=, > or >=") -> "_Sign":
        token = self._take("comparison", expected)
        return _Sign(token, Comparison(_WRITTEN.get(token.text, token.text)))

    def _expect_direction(self, metric: Metric, comparison: "_Sign") -> None:
        wrong = Better.HIGHER if comparison.sign.downwards else Better.LOWER
        if metric.better is wrong:
            better = "< or <=" if metric.better is Better.LOWER else "> or >="
            problem = f"{_short(metric.name)} is better when {metric.better}: expected {better}"
            self._fail(problem, comparison.token)

    def _share(self, comparison: "_Sign", *, downwards: bool) -> float:
        if comparison.sign.downwards is not downwards:
            self._fail(f"expected {'< or <=' if downwards else '> or >='}", comparison.token)
        number = self._peek()
        limit = self._amount(SHARE)
        if limit > 1 or not comparison.sign.holds(0.0 if downwards else 1.0, limit):
            assert number is not None
            self._fail("no run can meet this share" if limit <= 1 else "expected at most 100 %", number)
        return limit

    def _goodput_limit(self, measure: Goodput, comparison: "_Sign") -> tuple[Goodput, float]:
        unit = self._tokens[self._next + 1].text if self._next + 1 < len(self._tokens) else ""
        if unit != PER_SECOND:
            return measure, self._share(comparison, downwards=False)
        if comparison.sign.downwards:
            self._fail("expected > or >=", comparison.token)
        return Goodput(measure.conditions, per_second=True), self._amount(PER_SECOND)

    def _amount(self, unit: str) -> float:
        number = Fraction(self._take("number", "a number").text)
        if unit == _NO_UNIT:
            return float(number)
        units = _UNITS[unit]
        *others, last = units
        expected = f"a unit: {', '.join(others)} or {last}" if others else f"the unit {last}"
        token = self._take("word", expected)
        if token.text not in units:
            self._fail(f"expected {expected}{did_you_mean(token.text, units)}", token)
        return float(number * units[token.text])

    def _window(self) -> float | None:
        token = self._peek()
        if token is None or token.text != "over":
            return None
        self._next += 1
        number = self._peek()
        window_s = self._amount("s")
        if window_s < 1:
            assert number is not None
            self._fail("expected a window of at least 1 s", number)
        return window_s

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, kind: str, expected: str, texts: Iterable[str] = ()) -> _Token:
        token = self._peek()
        if token is None:
            self._fail_at(f"expected {expected}", len(self._text) + 1 if self._text else 0)
        if token.kind != kind or (texts and token.text not in texts):
            self._fail(f"expected {expected}", token)
        self._next += 1
        return token

    def _take_mark(self, mark: str, expected: str) -> None:
        self._take("mark", expected, mark)

    def _fail(self, problem: str, token: _Token) -> NoReturn:
        self._fail_at(problem, token.place)

    def _fail_at(self, problem: str, place: int) -> NoReturn:
        raise caret(problem, self._text, place)


@dataclass(frozen=True, slots=True)
class _Sign:
    """A comparison and where it stands."""

    token: _Token
    sign: Comparison


def _tokens(text: str, begin: int) -> Iterable[_Token]:
    for found in _TOKEN.finditer(text, begin):
        kind = found.lastgroup or "other"
        yield _Token(kind, found[kind], found.start(kind))


def _lead(text: str) -> int:
    return len(text) - len(text.lstrip())
