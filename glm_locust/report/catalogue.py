"""The texts of the report, by language, and how their figures are printed.

Every text is in `texts/LANGUAGE.toml`; a further language is one more such file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.report.statement import Figure, Statement

NBSP = "\u00a0"
MINUS = "\u2212"


def milliseconds(seconds: float | None) -> str:
    """`1,234 ms`; one decimal below 100 ms; `n/a` for None."""
    return NOT_AVAILABLE if seconds is None else f"{bare_milliseconds(seconds)}{NBSP}ms"


def bare_milliseconds(seconds: float | None) -> str:
    """The same without its unit, for columns whose head has it."""
    if seconds is None:
        return NOT_AVAILABLE
    value = seconds * 1000
    return _signed(value, 1 if abs(value) < 99.95 else 0)


def percent(share: float | None) -> str:
    """`36 %`; one decimal below 10 %; `n/a` for None."""
    if share is None:
        return NOT_AVAILABLE
    value = share * 100
    return f"{_signed(value, 1 if abs(value) < 9.95 else 0)}{NBSP}%"


def size(amount: float | None) -> str:
    """`18.4 kB` (1 kB = 1000 bytes); `n/a` for None."""
    if amount is None:
        return NOT_AVAILABLE
    if abs(amount) < 1000:
        return f"{amount:.0f}{NBSP}B"
    return f"{amount / 1000:,.1f}{NBSP}kB" if abs(amount) < 1e6 else f"{amount / 1e6:,.2f}{NBSP}MB"


def count(number: float | None) -> str:
    """A count, or a mean of counts, with thousands separated; `n/a` for None."""
    if number is None:
        return NOT_AVAILABLE
    return _signed(number, 0 if number == int(number) or abs(number) >= 100 else 1)


def rate(per_second: float | None) -> str:
    """`3.25/s`; `n/a` for None."""
    return NOT_AVAILABLE if per_second is None else f"{per_second:,.2f}/s"


def in_unit(value: float | None, unit: str) -> str:
    """A value of a metric, or a share, with its unit; `n/a` for None."""
    match unit:
        case _ if value is None:
            return NOT_AVAILABLE
        case "s":
            return milliseconds(value)
        case "share":
            return percent(value)
        case "1":
            return _signed(value, 3)
        case _:
            return f"{_signed(value, 2)}{NBSP}{unit}"


def signed(value: float, printed: str) -> str:
    """A printed change with its sign; none before what is printed as nothing."""
    return f"+{printed}" if value > 0 and printed.strip("0.,%ms" + NBSP) else printed


NOT_AVAILABLE = "n/a"

_TEXTS = Path(__file__).parent / "texts"

_BY_SUFFIX = (("_per_s", rate), ("_s", milliseconds), ("_share", percent), ("_bytes", size))


def _signed(value: float, decimals: int) -> str:
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):
        text = text[1:]
        return text if not text.strip("0.,") else MINUS + text
    return text


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The texts of one language."""

    language: str
    texts: Mapping[str, str]

    def text(self, key: str, **figures: Figure) -> str:
        """The text of this key with its figures printed; a missing key is a bug and raises KeyError."""
        return self.texts[key].format(**{name: self._figure(name, value) for name, value in figures.items()})

    def say(self, statement: Statement) -> str:
        """A statement in this language."""
        return self.text(statement.key, **statement.figures)

    def name(self, kind: str, identifier: str) -> str:
        """How a path, task, ... is called; what has no name in the catalogue is called as it is."""
        return self.texts.get(f"{kind}.{identifier}", identifier)

    def _figure(self, name: str, value: Figure) -> str:
        if name in ("path", "base") and isinstance(value, str):
            return self.name("path", value)
        if isinstance(value, Statement):
            return self.say(value)
        if isinstance(value, str):
            return value
        for suffix, printed in _BY_SUFFIX:
            if name.endswith(suffix):
                return printed(value)
        return count(value)


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language; raises ConfigError where there is none."""
    if language not in languages():
        raise ConfigError(f"lang: expected one of {', '.join(languages())}, got {language!r}")
    return Catalogue(language, tomllib.loads((_TEXTS / f"{language}.toml").read_text(encoding="utf-8")))


def languages() -> tuple[str, ...]:
    """The languages there are."""
    return tuple(sorted(path.stem for path in _TEXTS.glob("*.toml")))
