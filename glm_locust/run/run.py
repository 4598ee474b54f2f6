"""Run: admits the records of all workers once each, keeps their accounts, writes the footer."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec

from glm_locust.errors import GlmLocustError
from glm_locust.records import Outcome, RequestRecord, RunFooter, RunHeader, decode_line
from glm_locust.run.pulses import Pulses
from glm_locust.sinks import JsonlSink, SinkError
from glm_locust.transport.messages import Ack, ArrivalCounts, Batch, Drained, Hello, Pulse

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Whoever wants to see each record of the run once, as it is admitted."""

    def accept(self, record: RequestRecord) -> None:
        """Take one record; it must neither block nor raise."""


@dataclass(slots=True)
class WorkerAccount:
    """What the master knows of one worker."""

    facts: dict[str, Any] = field(default_factory=dict)
    joined: bool = False
    """It has said that it takes part."""
    admitted: int = 0
    """Highest sequence number up to which every record is in the run."""
    last_seq: int | None = None
    """Records it made in all; None: it has not said that it is done."""
    lost: str | None = None
    """Why nothing more can be expected of it."""

    @property
    def delivered(self) -> bool:
        """Everything it made is in the run."""
        return self.last_seq is not None and self.admitted >= self.last_seq


class Run:
    """One run on the master. It knows neither Locust nor time: both come as arguments."""

    def __init__(self, header: RunHeader, run_dir: Path, sinks: Iterable[Sink] = ()) -> None:
        """Make `run_dir` and begin its `run.jsonl`; raises SinkError where that fails."""
        self.header = header
        self.run_dir = run_dir
        self.counts = {outcome.value: 0 for outcome in Outcome}
        self.workers: dict[str, WorkerAccount] = {}
        self.failure: str | None = None
        """Why the run can take no more records: the disk is full."""
        self.notes: list[str] = []
        self.footer: RunFooter | None = None
        self.pulses = Pulses()
        """How the workers are now."""
        self.absent: frozenset[str] = frozenset()
        """Workers that are gone for now, and may yet come back; who leads the run says so."""
        self.target_rate: Callable[[int], float] | None = None
        """Open loop: how many requests per second are due at an instant, on average; the same says so."""
        self._arrivals: dict[str, ArrivalCounts] = {}
        self._sinks = list(sinks)
        self._file = JsonlSink(run_dir, header)
        self._refused: set[str] = set()

    @property
    def run_id(self) -> str:
        """Unique; sorts by time."""
        return self.header.run_id

    @property
    def arrivals(self) -> ArrivalCounts | None:
        """Open loop: what became of the arrivals so far, as workers have told; None: closed loop."""
        if not self._arrivals:
            return None
        counts = self._arrivals.values()
        return ArrivalCounts(
            started=sum(count.started for count in counts), dropped=sum(count.dropped for count in counts)
        )

    def arrival_rate(self, now_ns: int) -> float | None:
        """Open loop: how many requests per second are due now, on average; None where none are."""
        return None if self.target_rate is None or self.footer is not None else self.target_rate(now_ns)

    def add_sink(self, sink: Sink) -> None:
        """Show all records admitted from now on to one more reader."""
        self._sinks.append(sink)

    def expect(self, worker_id: str) -> None:
        """This worker is about to take part: it counts as lost if it never says so."""
        self.workers.setdefault(worker_id, WorkerAccount())

    def dismiss(self, worker_id: str) -> None:
        """An expected worker will not take part after all; one that has joined stays in the accounts."""
        account = self.workers.get(worker_id)
        if account is not None and not account.joined:
            del self.workers[worker_id]

    def join(self, worker_id: str, hello: Hello) -> Ack | None:
        """A worker takes part; None where it talks of another run."""
        if hello.run_id != self.run_id:
            self._refuse(worker_id, f"worker {worker_id} takes part in another run, {hello.run_id}")
            return None
        account = self.workers.setdefault(worker_id, WorkerAccount())
        account.facts.update(hello.facts)
        account.joined = True
        account.lost = None
        return self._ack(account)

    def admit(self, worker_id: str, batch: Batch) -> Ack | None:
        """Take the records that are new and in sequence; None where the batch is none of ours."""
        account = self.workers.get(worker_id)
        if batch.run_id != self.run_id or account is None:
            self._refuse(worker_id, f"records of run {batch.run_id} by worker {worker_id} refused")
            return None
        if self.failure is not None or self.footer is not None:
            return self._ack(account)
        try:
            lines = batch.lines.splitlines(keepends=True)
            records = [_record(line, self.run_id, worker_id) for line in lines]
            _expect_sequence(records, batch.first_seq)
        except GlmLocustError as error:
            self._refuse(worker_id, f"a batch of worker {worker_id} refused: {error}")
            return None
        known = account.admitted + 1 - batch.first_seq
        if known < 0:
            return self._ack(account)  # something before it went missing: the worker sends it again
        try:
            self._file.write(b"".join(lines[known:]))
        except SinkError as error:
            self.failure = f"{error}; the run ends here, {sum(self.counts.values())} records are kept"
            return self._ack(account)
        for record in records[known:]:
            account.admitted = record.seq
            self.counts[record.outcome] += 1
            for sink in self._sinks:
                sink.accept(record)
        return self._ack(account)

    def feel(self, worker_id: str, pulse: Pulse, now_ns: int) -> None:
        """A worker tells how it is; passed over where it talks of another run."""
        if pulse.run_id == self.run_id and worker_id in self.workers:
            self.pulses.take(worker_id, pulse, now_ns)
            if pulse.arrivals is not None:
                self._arrivals[worker_id] = pulse.arrivals

    def release(self, worker_id: str, drained: Drained) -> Ack | None:
        """A worker is done; acknowledged as closed only when all its records are here."""
        account = self.workers.get(worker_id)
        if drained.run_id != self.run_id or account is None:
            return None
        account.facts.update(drained.facts)
        account.last_seq = drained.last_seq
        if "arrivals" in drained.facts:
            self._arrivals[worker_id] = msgspec.convert(drained.facts["arrivals"], ArrivalCounts)
        self.pulses.drop(worker_id)
        account.lost = None
        return self._ack(account)

    def lose(self, worker_id: str, why: str) -> None:
        """Expect nothing more of this worker, unless it speaks again."""
        account = self.workers[worker_id]
        if account.lost is None and not account.delivered:
            account.lost = why

    def outstanding(self) -> tuple[str, ...]:
        """Workers that are still to deliver."""
        if self.failure is not None:
            return tuple(w for w, a in self.workers.items() if a.lost is None and a.last_seq is None)
        return tuple(w for w, a in self.workers.items() if a.lost is None and not a.delivered)

    @property
    def lost_workers(self) -> tuple[str, ...]:
        """Workers of which records may be missing."""
        return tuple(worker for worker, account in self.workers.items() if not account.delivered)

    def close(
        self,
        *,
        reason: str,
        ended_ns: int,
        partial: bool,
        locust_requests: int | None,
        notes: Sequence[str] = (),
    ) -> RunFooter:
        """Write the footer; raises SinkError where not even that can be written."""
        footer = self.footer = RunFooter(
            run_id=self.run_id,
            ended_ns=ended_ns,
            reason="disk_full" if self.failure else reason,
            partial=partial or self.failure is not None,
            counts=dict(self.counts),
            workers={worker: self._account_line(worker) for worker in self.workers},
            arrivals=None if self.arrivals is None else msgspec.to_builtins(self.arrivals),
            locust_requests=locust_requests,
            notes=(*([self.failure] if self.failure else []), *self.notes, *notes),
        )
        self._file.close(footer)
        return footer

    def _ack(self, account: WorkerAccount) -> Ack:
        full = self.failure is not None
        closed = account.last_seq is not None and (account.delivered or full)
        return Ack(run_id=self.run_id, seq=account.admitted, closed=closed, full=full)

    def _account_line(self, worker_id: str) -> dict[str, Any]:
        account, arrivals = self.workers[worker_id], self._arrivals.get(worker_id)
        made = {} if account.last_seq is None else {"made": account.last_seq}
        why = {} if account.lost is None else {"why_lost": account.lost}
        told = {} if arrivals is None else {"arrivals": msgspec.to_builtins(arrivals)}
        return {
            **account.facts,
            **told,
            "records": account.admitted,
            "lost": account.lost is not None or account.last_seq is None,
            **made,
            **why,
        }

    def _refuse(self, worker_id: str, why: str) -> None:
        if worker_id not in self._refused:
            self._refused.add(worker_id)
            self.notes.append(why)
            _log.warning("glm_locust: %s", why)


def _record(line: bytes, run_id: str, worker_id: str) -> RequestRecord:
    record = decode_line(line)
    if not isinstance(record, RequestRecord):
        raise GlmLocustError("a line is not a record")
    if (record.run_id, record.worker_id) != (run_id, worker_id):
        raise GlmLocustError(f"a record is of worker {record.worker_id} in run {record.run_id}")
    return record


def _expect_sequence(records: Sequence[RequestRecord], first_seq: int) -> None:
    for seq, record in enumerate(records, first_seq):
        if record.seq != seq:
            raise GlmLocustError(f"record {record.seq} stands where {seq} should be")
