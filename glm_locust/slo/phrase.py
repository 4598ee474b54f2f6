"""Phrase: reads a short text word by word, and shows every mistake by a caret under its place.

What objectives and conditions of a comparison have in common: scopes, metrics, statistics, amounts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from glm_locust.errors import ConfigError, did_you_mean, pointed_out
from glm_locust.metrics import METRICS
from glm_locust.slo.objective import PER_SECOND, SHARE, Comparison, MetricStatistic, Scope

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_]\w*(?:\.\d+)?(?:/[A-Za-z]+)?|%)
      | (?P<comparison><=|>=|≤|≥|<|>)
      | (?P<sign>[-+\u2212])
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
_QUANTILES = {"median": 0.5, "min": 0.0, "max": 1.0, "mean": None}
_STATISTICS = ("p50", "p90", "p95", "p99", *_QUANTILES)


def short_name(metric: str) -> str:
    """What a metric is called where its unit goes without saying: `ttft` is `ttft_s`."""
    return metric.removesuffix("_s") if METRICS[metric].unit == "s" else metric


_NAMES = {short_name(name): name for name in METRICS} | {name: name for name in METRICS}


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number or sign, and where it begins."""

    kind: str
    text: str
    place: int


@dataclass(frozen=True, slots=True)
class Sign:
    """A comparison and where it stands."""

    token: Token
    comparison: Comparison


class Phrase:
    """Takes what it is asked for from left to right; raises ConfigError where something else stands."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        """Without white space around it."""
        self._text = text.rstrip()
        self.scope, begin = self._scope()
        self._tokens = list(_tokens(self._text, begin))
        self._next = 0

    def peek(self, ahead: int = 0) -> Token | None:
        """The next token, or one further on; None at the end."""
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def take(self, kind: str, expected: str, texts: Iterable[str] = ()) -> Token:
        """The next token, which must be of this kind and, if there are any, one of the texts."""
        token = self.peek()
        if token is None:
            self._fail_at(f"expected {expected}", len(self._text) + 1 if self._text else 0)
        if token.kind != kind or (texts and token.text not in texts):
            self.fail(f"expected {expected}", token)
        self._next += 1
        return token

    def end(self, expected: str) -> None:
        """Nothing may follow."""
        if (token := self.peek()) is not None:
            self.fail(f"expected {expected}", token)

    def fail(self, problem: str, token: Token) -> NoReturn:
        """Raise the ConfigError for what is wrong with this token."""
        self._fail_at(problem, token.place)

    def metric(self, token: Token, further: Iterable[str] = ()) -> str:
        """The metric that the token names, with or without its unit; `further` names would do as well."""
        metric = _NAMES.get(token.text)
        if metric is None:
            names = [*further, *(short_name(name) for name in METRICS)]
            hint = did_you_mean(token.text, names) or f"; metrics are {', '.join(names)}"
            self.fail(f"no metric is called {token.text}{hint}", token)
        return metric

    def statistic(self, metric: str, called: str) -> MetricStatistic:
        """A statistic of this metric."""
        expected = f"a statistic of {called}: {', '.join(_STATISTICS)}"
        token = self.take("word", expected)
        if token.text in _QUANTILES:
            return MetricStatistic(metric, token.text, _QUANTILES[token.text])
        found = _PERCENTILE.fullmatch(token.text)
        if found is None or not float(found[1]):
            self.fail(f"expected {expected}{did_you_mean(token.text, _STATISTICS)}", token)
        return MetricStatistic(metric, token.text, round(float(found[1]) / 100, 10))

    def comparison(self, expected: str = "<, <=, > or >=") -> Sign:
        """`<`, `<=`, `>` or `>=`."""
        token = self.take("comparison", expected)
        return Sign(token, Comparison(_WRITTEN.get(token.text, token.text)))

    def amount(self, *units: str) -> tuple[float, str]:
        """A number with a unit, in the first of these units that it can be of, and that unit."""
        number = Fraction(self.take("number", "a number").text)
        if _NO_UNIT in units and ((token := self.peek()) is None or token.kind != "word"):
            return float(number), _NO_UNIT
        known = {typed: (unit, factor) for unit in units for typed, factor in _UNITS.get(unit, {}).items()}
        *others, last = known
        expected = f"a unit: {', '.join(others)} or {last}" if others else f"the unit {last}"
        token = self.take("word", expected)
        if token.text not in known:
            self.fail(f"expected {expected}{did_you_mean(token.text, known)}", token)
        unit, factor = known[token.text]
        return float(number * factor), unit

    def _scope(self) -> tuple[Scope, int]:
        before, colon, _ = self._text.partition(":")
        if not colon:
            return Scope(), 0
        written = before.strip()
        found = _SCOPE.fullmatch(written)
        if found is None or not written:
            lead = len(self._text) - len(self._text.lstrip())
            self._fail_at("expected a path before the colon, like web, web/ocr or web@4", lead)
        level = found["level"]
        return Scope(found["path"], found["task"], int(level) if level else None), len(before) + 1

    def _fail_at(self, problem: str, place: int) -> NoReturn:
        raise ConfigError(pointed_out(problem, self._text, place))


def _tokens(text: str, begin: int) -> Iterator[Token]:
    for found in _TOKEN.finditer(text, begin):
        kind = found.lastgroup or "other"
        yield Token(kind, found[kind], found.start(kind))
