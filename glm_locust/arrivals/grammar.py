"""From text to arrivals.

arrivals = "poisson:" rate | "constant:" rate | "gamma:" rate ",cv=" number
         | "ramp:" rate ".." rate ",over=" duration [",cv=" number]
         | "trace:" file [",speed=" number]
rate     = number ("/s" | "/min" | "/h")
duration = number ("s" | "m" | "min" | "h")
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from glm_locust.arrivals.process import Arrivals, Renewal, Replay
from glm_locust.errors import ConfigError, did_you_mean, pointed_out

GRAMMAR = "poisson:12/s, constant:12/s, gamma:12/s,cv=2, ramp:2/s..20/s,over=5m or trace:FILE"
"""One of each kind."""

MAX_RATE = 10_000.0
"""Arrivals per second of a whole run: what is beyond is a mistake."""
MAX_CV = 20.0

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "poisson": (),
    "constant": (),
    "gamma": ("cv",),
    "ramp": ("over", "cv"),
    "trace": ("speed",),
}
_RATE_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_TIME_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"


def parse(text: str) -> Arrivals:
    """Read what `--arrivals` says; raises ConfigError with the text and a caret under the place."""
    reader = _Reader(text.strip())
    kind, colon, rest = reader.text.partition(":")
    if not colon or kind not in _PARAMETERS:
        reader.fail(f"expected arrivals like {GRAMMAR}{did_you_mean(kind, _PARAMETERS)}", 0)
    subject, parameters = reader.split(kind, len(kind) + 1, rest)
    if kind == "trace":
        return _replay(reader, subject, parameters)
    if kind == "ramp":
        return _ramp(reader, subject, parameters)
    cv = {"poisson": 1.0, "constant": 0.0}.get(kind)
    if cv is None:
        cv = reader.cv(parameters, "cv=2: the coefficient of variation of the gaps")
    return Renewal(reader.rate(*subject), cv)


_Piece = tuple[str, int]
"""A part of the text, and where it begins."""


def _replay(reader: "_Reader", subject: _Piece, parameters: Mapping[str, _Piece]) -> Replay:
    file, place = subject
    if not file:
        reader.fail("expected the file of a trace, like trace:requests.jsonl", place)
    speed = reader.number(*parameters["speed"], "a number above 0, like speed=10") if parameters else 1.0
    return Replay(file, speed)


def _ramp(reader: "_Reader", subject: _Piece, parameters: Mapping[str, _Piece]) -> Renewal:
    text, place = subject
    first, dots, last = text.partition("..")
    if not dots:
        reader.fail("expected two rates, like 2/s..20/s", place)
    if "over" not in parameters:
        reader.fail("expected how long the ramp takes, like over=5m", len(reader.text))
    cv = reader.cv(parameters, "") if "cv" in parameters else 1.0
    return Renewal(
        reader.rate(first, place),
        cv,
        reader.rate(last, place + len(first) + 2),
        reader.duration(*parameters["over"]),
    )


class _Reader:
    """Reads parts of one text; a mistake is shown at its place."""

    def __init__(self, text: str) -> None:
        self.text = text

    def fail(self, problem: str, place: int) -> NoReturn:
        """Raise the ConfigError."""
        raise ConfigError(pointed_out(problem, self.text, place))

    def split(self, kind: str, place: int, rest: str) -> tuple[_Piece, dict[str, _Piece]]:
        """The rate or file, and the parameters that follow it."""
        names = _PARAMETERS[kind]
        # A file name may hold a comma: only what looks like a parameter of a trace is one.
        head, *tail = re.split(r",(?=speed=)", rest) if kind == "trace" else rest.split(",")
        found: dict[str, _Piece] = {}
        at = place + len(head) + 1
        for part in tail:
            name, sign, value = part.partition("=")
            if not sign or name not in names:
                expected = " or ".join(f"{known}=..." for known in names) or "nothing more"
                self.fail(f"expected {expected} after {kind}{did_you_mean(name, names)}", at)
            if name in found:
                self.fail(f"{name} is there twice", at)
            found[name] = value, at + len(name) + 1
            at += len(part) + 1
        return (head, place), found

    def number(self, text: str, place: int, expected: str) -> float:
        """A number above 0."""
        if not re.fullmatch(_NUMBER, text) or not (value := float(text)):
            self.fail(f"expected {expected}", place)
        return value

    def cv(self, parameters: Mapping[str, _Piece], expected: str) -> float:
        """The parameter `cv`."""
        expected = expected or "a number, like cv=2"
        if "cv" not in parameters:
            self.fail(f"expected {expected}", len(self.text))
        text, place = parameters["cv"]
        if not re.fullmatch(_NUMBER, text) or float(text) > MAX_CV:
            self.fail(f"expected a number from 0 to {MAX_CV:g}, like cv=2", place)
        return float(text)

    def rate(self, text: str, place: int) -> float:
        """A rate, per second."""
        found = re.fullmatch(rf"({_NUMBER})/([a-z]+)", text)
        if found is None or found[2] not in _RATE_UNITS:
            self.fail("expected a rate, like 12/s, 90/min or 500/h", place)
        value = float(found[1]) / _RATE_UNITS[found[2]]
        if not 0 < value <= MAX_RATE:
            self.fail(f"expected a rate above 0 and up to {MAX_RATE:g}/s", place)
        return value

    def duration(self, text: str, place: int) -> float:
        """A duration, in seconds."""
        found = re.fullmatch(rf"({_NUMBER})([a-z]+)", text)
        if found is None or found[2] not in _TIME_UNITS or not float(found[1]):
            self.fail("expected a duration above 0, like 90s, 5m or 1h", place)
        return float(found[1]) * _TIME_UNITS[found[2]]
