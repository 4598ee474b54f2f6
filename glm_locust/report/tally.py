"""One pass over the records of a run: what the analysis needs, in little memory."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from glm_locust.metrics import enters_statistics, send_lag_s, values_of
from glm_locust.records import ErrorKind, Outcome, Phase, RequestRecord

_S_PER_NS = 1e-9


class CellKey(NamedTuple):
    """What requests have in common where they are compared."""

    path: str
    task: str
    level: int | None


@dataclass(slots=True)
class Cell:
    """The measured requests of one path, task and level."""

    values: "dict[str, array[float]]" = field(default_factory=dict)
    """Metric -> its values."""
    records: list[RequestRecord] = field(default_factory=list)
    """Those that enter statistics, in the order of the file, without their gaps."""
    failed: int = 0
    cancelled: int = 0
    not_streamed: int = 0
    reasoned: int = 0
    """Answers whose first token was reasoning."""


@dataclass(slots=True)
class Failure:
    """Failures of one kind on one path."""

    n: int = 0
    tasks: Counter[str] = field(default_factory=Counter)
    example: str | None = None


@dataclass(slots=True)
class Span:
    """From the first to the last instant of the requests of one path in one block."""

    start_ns: int
    end_ns: int
    ok: int = 0


class Tally:
    """Collects records of one run; a record that was written twice counts once."""

    def __init__(self) -> None:
        self.cells: dict[CellKey, Cell] = defaultdict(Cell)
        self.outcomes: dict[Phase, Counter[Outcome]] = defaultdict(Counter)
        self.failures: dict[tuple[str, ErrorKind], Failure] = defaultdict(Failure)
        self.warmup_failures: Counter[ErrorKind] = Counter()
        self.workers: dict[str, set[int]] = defaultdict(set)
        """Worker -> sequence numbers seen."""
        self.spans: dict[tuple[str, int | None, int | None], Span] = {}
        self.send_lag_s: array[float] = array("d")
        self.kernel_stamped: Counter[str] = Counter()
        """Path -> measured answers with a kernel stamp."""
        self.duplicates = 0
        self.last_ns: int | None = None

    def add(self, record: RequestRecord) -> bool:
        """Take one record; False where it was there already."""
        seen = self.workers[record.worker_id]
        if record.seq in seen:
            self.duplicates += 1
            return False
        seen.add(record.seq)
        self.outcomes[record.phase][record.outcome] += 1
        self.last_ns = max(self.last_ns or 0, record.finished_ns)
        kind = record.error_kind
        if record.phase is not Phase.MEASURE:
            if record.outcome is Outcome.FAILED and kind is not None:
                self.warmup_failures[kind] += 1
            return True
        self.send_lag_s.extend(send_lag_s(record))
        cell = self.cells[CellKey(record.path, record.task, record.level)]
        match record.outcome:
            case Outcome.FAILED:
                cell.failed += 1
                self._fail(record)
            case Outcome.CANCELLED:
                cell.cancelled += 1
            case Outcome.OK:
                self._measure(cell, record)
        return True

    def _fail(self, record: RequestRecord) -> None:
        failure = self.failures[record.path, record.error_kind or ErrorKind.PROTOCOL]
        failure.n += 1
        failure.tasks[record.task] += 1
        failure.example = failure.example or record.error_detail

    def _measure(self, cell: Cell, record: RequestRecord) -> None:
        if not enters_statistics(record):
            return
        for name, values in values_of(record).items():
            cell.values.setdefault(name, array("d")).extend(values)
        cell.not_streamed += not record.streamed
        cell.reasoned += record.first_token_ns is not None and record.first_token_ns != record.first_output_ns
        self.kernel_stamped[record.path] += record.first_token_lag_us is not None
        # The gaps are most of a record and are in the values by now.
        cell.records.append(msgspec.structs.replace(record, output_gaps_us=()))
        key = (record.path, record.level, record.block)
        span = self.spans.setdefault(key, Span(record.scheduled_ns, record.finished_ns))
        span.start_ns = min(span.start_ns, record.scheduled_ns)
        span.end_ns = max(span.end_ns, record.finished_ns)
        span.ok += 1

    def chosen(
        self, path: str | None = None, task: str | None = None, level: int | None = None
    ) -> Iterator[Cell]:
        """The cells that agree with what is given; None agrees with all."""
        for key, cell in self.cells.items():
            if path in (None, key.path) and task in (None, key.task) and level in (None, key.level):
                yield cell

    def requests_per_s(self, path: str, level: int | None) -> float | None:
        """Answers per second while this path was loaded; None where there is no time to divide by."""
        spans = [
            span for (of, at, _), span in self.spans.items() if of == path and (level is None or at == level)
        ]
        seconds = sum(span.end_ns - span.start_ns for span in spans) * _S_PER_NS
        return sum(span.ok for span in spans) / seconds if seconds > 0 else None


def ordered(seen: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Known names in their usual order, then the others by name."""
    names = set(seen)
    usual = [name for name in known if name in names]
    return (*usual, *sorted(names - set(usual)))
