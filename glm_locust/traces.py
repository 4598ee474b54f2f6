"""Traces: when requests once came, and what they asked, from a file.

JSON lines, each with a `timestamp` (seconds, or a date and time) and, as in a data set, what was
asked; or a CSV file with the columns of the Azure LLM inference traces:

    {"timestamp": 0.25, "prompt": "What is on the label?", "images": ["a.png"], "task": "labels"}

    TIMESTAMP,ContextTokens,GeneratedTokens
    2023-11-16 18:17:03.9799600,4808,10

A row with numbers of tokens and no prompt is asked as a text of about that many tokens, and its
answer may be as long as it was. A row with neither is asked a question of the run's own.
"""

import csv
import io
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from glm_locust.arrivals import Replay, Timetable
from glm_locust.datasets import Images, json_row, lines_of, question
from glm_locust.errors import ConfigError
from glm_locust.workload.prompt import Prompt

TASK: Final = "trace"
"""Of rows that are numbers of tokens."""
MAX_ROWS: Final = 1_000_000
MAX_TOKENS: Final = 1_000_000

_TIMESTAMP, _CONTEXT, _GENERATED = "timestamp", "contexttokens", "generatedtokens"
_COLUMNS = "TIMESTAMP, ContextTokens, GeneratedTokens"
_DATE = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?\s*(Z|[+-]\d\d:\d\d)?")
_WORDS = ("the", "of", "and", "to", "in", "is", "it", "you", "that", "he", "was", "for", "on", "are", "with")


@dataclass(frozen=True, slots=True)
class _Row:
    offset_s: float
    prompt: Prompt | None
    tokens: tuple[int, int | None] | None = None
    """Of the question and of the answer."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A source of questions, by the number of the arrival."""

    path: str
    speed: float
    rows: tuple[_Row, ...]
    """In the order in which they came; the first one came at 0 s."""

    @classmethod
    def load(cls, replay: Replay) -> "Trace":
        """Read and check the whole file; raises ConfigError naming file and line."""
        path = Path(replay.file)
        rows = list(_csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path))
        if not rows:
            raise ConfigError(f"{path}: expected at least one request, the trace is empty")
        rows.sort(key=lambda row: row.offset_s)
        begin_s = rows[0].offset_s
        return cls(
            str(path), replay.speed, tuple(replace(row, offset_s=row.offset_s - begin_s) for row in rows)
        )

    @property
    def timetable(self) -> Timetable:
        """When its requests are due; the same for any seed."""
        return lambda _seed: (round(row.offset_s / self.speed * 1e9) for row in self.rows)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that occur, in order; none where the run's own questions are asked."""
        return tuple(dict.fromkeys(task for task in map(self.task, range(len(self.rows))) if task))

    def task(self, index: int) -> str | None:
        """Of this arrival; None: one of the run's own questions."""
        row = self.rows[index]
        if row.prompt is not None:
            return row.prompt.task
        return TASK if row.tokens is not None else None

    def asked(self, index: int, number: int | None = None) -> Prompt | None:
        """What this arrival asks; None: one of the run's own questions.

        Texts made of numbers of tokens differ where `number` does, which is the index by default.
        """
        row = self.rows[index]
        if row.prompt is not None or row.tokens is None:
            return row.prompt
        context, generated = row.tokens
        return Prompt(TASK, _filler(index if number is None else number, context), max_tokens=generated)

    def rate_at(self, offset_s: float) -> float:
        """Arrivals per second, as a mean over the ten seconds around this time after the start."""
        edges = ((offset_s - 5) * self.speed, (offset_s + 5) * self.speed)
        first, last = (bisect_left(self.rows, edge, key=lambda row: row.offset_s) for edge in edges)
        return (last - first) / 10


def _filler(number: int, tokens: int) -> str:
    """A text of about this many tokens that is like no other: common English words are one token each."""
    words = (f"Request {number}:", *(_WORDS[(number + n) % len(_WORDS)] for n in range(max(1, tokens - 4))))
    return " ".join(words)


def _json_rows(path: Path) -> Iterator[_Row]:
    images = Images(path.parent)
    for number, line in lines_of(path, "the trace"):
        _check_length(path, number)
        try:
            row = json_row(line)
            numbers = {key.lower(): row.pop(key) for key in list(row) if key.lower() in _KNOWN}
            prompt = question(row, images) if row else None
            yield _row(numbers, prompt)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None


def _csv_rows(path: Path) -> Iterator[_Row]:
    lines = list(lines_of(path, "the trace"))
    try:
        text = "\n".join(line.decode() for _, line in lines)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text") from None
    reader = csv.reader(io.StringIO(text))
    head = [name.strip().lower() for name in next(reader, [])]
    if _TIMESTAMP not in head:
        raise ConfigError(f"{path}, line 1: expected the columns {_COLUMNS}")
    for (number, _), cells in zip(lines[1:], reader, strict=False):
        _check_length(path, number)
        try:
            if len(cells) != len(head):
                raise ValueError(f"expected {len(head)} columns, got {len(cells)}")
            yield _row(dict(zip(head, cells, strict=True)), None)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from None


_KNOWN = (_TIMESTAMP, _CONTEXT, _GENERATED)


def _row(numbers: Mapping[str, Any], prompt: Prompt | None) -> _Row:
    if _TIMESTAMP not in numbers:
        raise ValueError("the key timestamp is missing")
    offset_s = _seconds(numbers[_TIMESTAMP])
    context, generated = (_tokens(numbers, key) for key in (_CONTEXT, _GENERATED))
    if prompt is not None:
        return _Row(offset_s, replace(prompt, max_tokens=generated))
    return _Row(offset_s, None, None if context is None else (context, generated))


def _seconds(value: object) -> float:
    """A timestamp as seconds since some instant."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(
            f"timestamp: expected seconds or a date and time like 2023-11-16 18:17:03.98, got {value!r}"
        )
    try:
        zone = (found[3] or "+00:00").replace("Z", "+00:00")
        whole = datetime.fromisoformat(found[1] + zone).astimezone(UTC)
    except ValueError:
        raise ValueError(f"timestamp: no such date and time, {value!r}") from None
    return whole.timestamp() + float("0" + (found[2] or ".0"))  # Azure's have seven digits after the dot


def _tokens(numbers: Mapping[str, Any], key: str) -> int | None:
    value = numbers.get(key)
    if value is None or value == "":
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= MAX_TOKENS:
        names = {_CONTEXT: "ContextTokens", _GENERATED: "GeneratedTokens"}
        raise ValueError(f"{names[key]}: expected a whole number from 1 to {MAX_TOKENS}, got {value!r}")
    return int(text)


def _check_length(path: Path, number: int) -> None:
    if number > MAX_ROWS + 1:
        raise ConfigError(f"{path}: expected at most {MAX_ROWS} requests")
