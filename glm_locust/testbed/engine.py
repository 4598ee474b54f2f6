"""Continuous batching as a pure step model: no clock, no I/O; every instant is an argument in seconds.

A request is prepared on the host, waits for a place in the batch, is prefilled in chunks and then
decoded one token a step together with everybody else in the batch. A step lasts as long as its
work: so prefills slow the decodes that share their steps, and a fuller batch slows everyone a little.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from glm_locust.errors import GlmLocustError
from glm_locust.testbed.presets import EngineSpec


class QueueFullError(GlmLocustError):
    """The waiting queue is at its bound; the request was not accepted."""


@dataclass(slots=True, eq=False)
class Sequence:
    """One request on its way through the engine; whoever submits it only reads it afterwards."""

    prepare_s: float
    image_tokens: int
    text_tokens: int
    output_tokens: int
    arrived_s: float = 0.0
    ready_s: float = 0.0
    """When the host has prepared it."""
    admitted_s: float | None = None
    """When it got its place in the batch."""
    prefilled: int = 0
    emitted: int = 0
    gone: bool = False
    """Finished or aborted."""

    @property
    def prompt_tokens(self) -> int:
        """Image and text tokens of the prompt."""
        return self.image_tokens + self.text_tokens

    @property
    def reserved_tokens(self) -> int:
        """Places in the KV cache that it may come to need."""
        return self.prompt_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Token:
    """One output token left the engine."""

    sequence: Sequence
    index: int
    last: bool
    at_s: float


@dataclass(slots=True)
class _Step:
    ends_s: float
    decoding: list[Sequence]
    completing: list[Sequence] = field(default_factory=list)
    """Sequences whose prefill is complete with this step: it yields their first token."""


class Engine:
    """The step model: `submit` and `abort` at any time, `advance` at `next_s` or later."""

    def __init__(self, spec: EngineSpec, slowdown: Callable[[float], float] = lambda _: 1.0) -> None:
        """`slowdown` gives at an instant the factor by which all work that begins then takes longer."""
        self.spec = spec
        self._slowdown = slowdown
        self._preparers = [0.0] * spec.preparers
        self._preparing: list[tuple[float, int, Sequence]] = []
        self._waiting: deque[Sequence] = deque()
        self._batch: list[Sequence] = []
        self._step: _Step | None = None
        self._submitted = 0

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._batch)

    @property
    def waiting(self) -> int:
        """Sequences accepted but not yet in the batch, preparation included."""
        return len(self._waiting) + len(self._preparing)

    @property
    def kv_usage(self) -> float:
        """Share of the KV cache in use, 0 to 1."""
        return sum(s.prefilled + s.emitted for s in self._batch) / self.spec.kv_tokens

    @property
    def next_s(self) -> float | None:
        """When `advance` next has something to do; None: not before another `submit`."""
        if self._step is not None:
            return self._step.ends_s
        return self._preparing[0][0] if self._preparing else None

    def submit(self, sequence: Sequence, at_s: float) -> None:
        """Accept a sequence; raises QueueFullError where too many wait already."""
        if self.waiting >= self.spec.max_waiting:
            raise QueueFullError(f"{self.waiting} requests are waiting already")
        sequence.arrived_s = at_s
        begins_s = max(at_s, self._preparers[0])
        sequence.ready_s = begins_s + sequence.prepare_s * self._slowdown(begins_s)
        heapq.heapreplace(self._preparers, sequence.ready_s)
        self._submitted += 1
        heapq.heappush(self._preparing, (sequence.ready_s, self._submitted, sequence))

    def abort(self, sequence: Sequence) -> None:
        """Forget a sequence; its place in the batch is free from the next step on."""
        if sequence.gone:
            return
        sequence.gone = True
        if sequence in self._batch:
            self._batch.remove(sequence)
        elif sequence in self._waiting:
            self._waiting.remove(sequence)
        else:
            self._preparing = [entry for entry in self._preparing if entry[2] is not sequence]
            heapq.heapify(self._preparing)

    def advance(self, now_s: float) -> list[Token]:
        """Carry out every step that ends by `now_s`; their tokens in order of time.

        A late caller gets the tokens of all steps it missed: the engine itself is never late.
        """
        tokens: list[Token] = []
        while True:
            if self._step is None:
                if not self._preparing or self._preparing[0][0] > now_s:
                    return tokens
                self._begin_step(self._preparing[0][0])
            elif self._step.ends_s > now_s:
                return tokens
            else:
                step, self._step = self._step, None
                tokens += self._end_step(step)
                self._begin_step(step.ends_s)

    def _begin_step(self, at_s: float) -> None:
        while self._preparing and self._preparing[0][0] <= at_s:
            self._waiting.append(heapq.heappop(self._preparing)[2])
        self._admit(at_s)
        if not self._batch:
            return
        spec = self.spec
        decoding = [s for s in self._batch if s.prefilled == s.prompt_tokens]
        lasts_s = spec.step_s + len(decoding) * spec.sequence_s
        step = _Step(ends_s=at_s, decoding=decoding)
        budget = spec.chunk_tokens
        for sequence in self._batch:
            missing = sequence.prompt_tokens - sequence.prefilled
            chunk = min(missing, budget)
            if chunk:
                image_chunk = min(chunk, max(0, sequence.image_tokens - sequence.prefilled))
                lasts_s += image_chunk * spec.image_token_s + (chunk - image_chunk) * spec.text_token_s
                sequence.prefilled += chunk
                budget -= chunk
                if chunk == missing:
                    step.completing.append(sequence)
        step.ends_s += lasts_s * self._slowdown(at_s)
        self._step = step

    def _admit(self, at_s: float) -> None:
        free = self.spec.kv_tokens - sum(s.reserved_tokens for s in self._batch)
        while self._waiting and len(self._batch) < self.spec.max_batch:
            if self._waiting[0].reserved_tokens > free and self._batch:
                return
            sequence = self._waiting.popleft()
            sequence.admitted_s = at_s
            free -= sequence.reserved_tokens
            self._batch.append(sequence)

    def _end_step(self, step: _Step) -> list[Token]:
        tokens = []
        for sequence in (*step.decoding, *step.completing):
            if sequence.gone:
                continue
            last = sequence.emitted + 1 >= sequence.output_tokens
            tokens.append(Token(sequence, sequence.emitted, last, step.ends_s))
            sequence.emitted += 1
            if last:
                sequence.gone = True
                self._batch.remove(sequence)
        return tokens
