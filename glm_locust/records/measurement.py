"""Measurement: collects the instants of one request and seals them into a record.

It reads no clock: every instant is an argument, in ns. One Measurement belongs to one greenlet.
"""

import itertools
from dataclasses import dataclass, field

from glm_locust.errors import LocalProtocolError
from glm_locust.records.record import (
    ErrorKind,
    LagKind,
    Outcome,
    Phase,
    RequestRecord,
    TokenSource,
    digest,
)
from glm_locust.records.signals import Accepted, Ended, Output, Signal, TextKind, Usage

DETAIL_LIMIT = 500
"""Characters kept of a free-text error."""


@dataclass(slots=True)
class _Candidate:
    kind: TextKind
    first_lag_us: int | None
    chars: int = 0
    instants_ns: list[int] = field(default_factory=list)


class Measurement:
    """One request in the making: feed it instants and signals, then `seal()` it once."""

    def __init__(
        self,
        *,
        path: str,
        task: str,
        phase: Phase,
        prompt_id: str,
        scheduled_ns: int,
        images: int = 0,
        image_pixels: int = 0,
        image_bytes: int = 0,
        block: int | None = None,
        level: int | None = None,
        in_flight_at_send: int | None = None,
    ) -> None:
        self.path = path
        self.task = task
        self.phase = phase
        self.prompt_id = prompt_id
        self.scheduled_ns = scheduled_ns
        self.images = images
        self.image_pixels = image_pixels
        self.image_bytes = image_bytes
        self.block = block
        self.level = level
        self.in_flight_at_send = in_flight_at_send
        self.bytes_out = 0
        self.bytes_in = 0
        self.image_bytes_out = 0
        self._sent_ns: int | None = None
        self._submitted_ns: int | None = None
        self._accepted_ns: int | None = None
        self._http_status: int | None = None
        self._upstream_id: str | None = None
        self._usage: Usage | None = None
        self._candidates: dict[str, _Candidate] = {}
        self._ended: Ended | None = None
        self._finished_ns: int | None = None

    @property
    def sent_ns(self) -> int | None:
        """When the first byte of the first action went off."""
        return self._sent_ns

    @property
    def provisional_first_token_ns(self) -> int | None:
        """Earliest text of any candidate so far; final only once the answer is known."""
        return min((c.instants_ns[0] for c in self._candidates.values()), default=None)

    @property
    def provisional_first_token_lag_us(self) -> int | None:
        """The generator's lag at that text; None without kernel stamps."""
        heard = self._candidates.values()
        first = min(heard, key=lambda candidate: candidate.instants_ns[0], default=None)
        return first.first_lag_us if first else None

    @property
    def ended(self) -> Ended | None:
        """The end, once one was reported."""
        return self._ended

    def sent(self, at_ns: int) -> None:
        """The first byte of the first action (upload or request) goes off; later calls are ignored."""
        if self._sent_ns is None:
            self._sent_ns = at_ns

    def submitted(self, at_ns: int) -> None:
        """The question itself goes off."""
        self.sent(at_ns)
        self._submitted_ns = at_ns

    def http_status(self, status: int) -> None:
        """The status of an HTTP answer that is not itself the acceptance of the question."""
        self._http_status = status

    def signal(self, signal: Signal, at_ns: int, lag_us: int | None = None) -> None:
        """Take one signal that came with the read at `at_ns`; `lag_us` is None without kernel stamps."""
        match signal:
            case Output(candidate=name, kind=kind, chars=chars):
                candidate = self._candidates.get(name)
                if candidate is None:
                    candidate = self._candidates[name] = _Candidate(kind, lag_us)
                candidate.kind = kind
                candidate.chars += chars
                candidate.instants_ns.append(at_ns)
            case Accepted(http_status=status, upstream_id=upstream_id):
                if self._accepted_ns is None:
                    self._accepted_ns = at_ns
                self._http_status = status if status is not None else self._http_status
                self._upstream_id = upstream_id or self._upstream_id
            case Usage():
                self._usage = signal
            case Ended(upstream_id=upstream_id):
                if self._ended is None:
                    self._ended = signal
                    self._finished_ns = at_ns
                    self._upstream_id = upstream_id or self._upstream_id

    def fail(self, kind: ErrorKind, detail: str, at_ns: int) -> None:
        """The request failed outside the protocol (connection, deadline); ignored after an end."""
        self.signal(Ended(Outcome.FAILED, kind, detail), at_ns)

    def cancel(self, at_ns: int) -> None:
        """We ended the request because the run ended; ignored after an end."""
        self.signal(Ended(Outcome.CANCELLED, ErrorKind.RUN_ENDED), at_ns)

    def seal(self, *, run_id: str, worker_id: str, seq: int) -> RequestRecord:
        """Make the record; raises LocalProtocolError if no end was reported."""
        ended = self._ended
        if ended is None or self._finished_ns is None:
            raise LocalProtocolError("a measurement was sealed before its end was reported")
        answer = self._answer(ended)
        heard = [c for c in self._candidates.values() if c.kind is TextKind.REASONING or c is answer]
        instants = sorted(at for c in heard for at in c.instants_ns)
        first = min(heard, key=lambda c: c.instants_ns[0], default=None)
        lag_us = first.first_lag_us if first else None
        usage = self._usage
        counted = usage is not None and usage.output_tokens is not None
        return RequestRecord(
            run_id=run_id,
            worker_id=worker_id,
            seq=seq,
            path=self.path,
            task=self.task,
            phase=self.phase,
            block=self.block,
            level=self.level,
            prompt_id=self.prompt_id,
            images=self.images,
            image_pixels=self.image_pixels,
            image_bytes=self.image_bytes,
            scheduled_ns=self.scheduled_ns,
            sent_ns=self._sent_ns,
            submitted_ns=self._submitted_ns,
            accepted_ns=self._accepted_ns,
            first_token_ns=instants[0] if instants else None,
            first_output_ns=answer.instants_ns[0] if answer else None,
            last_output_ns=instants[-1] if instants else None,
            finished_ns=self._finished_ns,
            first_token_lag_us=lag_us,
            lag_kind=LagKind.NONE if lag_us is None else LagKind.KERNEL,
            output_gaps_us=tuple((b - a) // 1000 for a, b in itertools.pairwise(instants)),
            prompt_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            output_chars=answer.chars if answer else 0,
            bytes_out=self.bytes_out,
            bytes_in=self.bytes_in,
            image_bytes_out=self.image_bytes_out,
            token_source=TokenSource.USAGE if counted else TokenSource.NONE,
            in_flight_at_send=self.in_flight_at_send,
            streamed=ended.streamed,
            outcome=ended.outcome,
            error_kind=ended.kind,
            error_detail=ended.detail[:DETAIL_LIMIT] if ended.detail else None,
            http_status=self._http_status,
            upstream_id=self._upstream_id,
            answer_digest=digest(ended.text) if ended.text else None,
        )

    def _answer(self, ended: Ended) -> _Candidate | None:
        if ended.answer is not None:
            return self._candidates.get(ended.answer)
        # A request that broke off has chosen nothing: on the API path there is only one
        # candidate of kind ANSWER, and that one is known to be it; on a page nobody can tell.
        answers = [c for c in self._candidates.values() if c.kind is TextKind.ANSWER]
        return answers[0] if len(answers) == 1 else None
