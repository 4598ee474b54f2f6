"""The exceptions that glm_locust raises on purpose, and how foreign text gets into them."""

import difflib
import unicodedata
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a process of ours, or Locust with the plugin, ends with; 2, 4, 3, 1 go before 0."""

    PASS = 0
    FAILED_REQUESTS = 1
    CRASH = 2
    SLO_NOT_MET = 3
    INVALID = 4
    """The measurement cannot be trusted: a worker or records lost, generator saturated, ..."""
    USAGE = 64
    INTERRUPTED = 130


class GlmLocustError(Exception):
    """Base of every error of ours; its text is one line for a person."""


class ConfigError(GlmLocustError):
    """Something the user gave is wrong or missing; the text says what was expected and where.

    Command lines print it without a traceback and exit with 64.
    """


class ProtocolError(GlmLocustError):
    """A conversation with a server broke the protocol."""


class LocalProtocolError(ProtocolError):
    """We broke the protocol: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The server broke the protocol."""


def one_line(text: str, limit: int = 300) -> str:
    """Untrusted text as one printable line of at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """What to add to a message about a word that is not one of the choices."""
    close = difflib.get_close_matches(str(word), list(choices), 1)
    return f", did you mean {close[0]}?" if close else ""


def pointed_out(problem: str, text: str, place: int) -> str:
    """A problem with one line of text, the line, and a caret under the place."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown[:place].ljust(place))
    return f"{problem}\n  {shown}\n  {' ' * columns}^"
