"""METRICS: one row is one metric; documents, columns and summaries follow from it.

A formula takes one record and gives the values it holds: none (it never happened), one, or many
(gaps). Formulas do not look at the outcome; `enters_statistics` does, for all of them at once.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from glm_locust.records import Outcome, Phase, RequestRecord

Values = tuple[float, ...]
Numbers: TypeAlias = "array[int]"
Formula = Callable[[RequestRecord], Values]

_S_PER_NS = 1e-9
_S_PER_US = 1e-6


@dataclass(frozen=True, slots=True)
class Pooled:
    """A formula of many values to a record, which holds them as whole numbers of a unit.

    Who sums up many records keeps the numbers, and multiplies them all at once: that is much cheaper.
    """

    held: Callable[[RequestRecord], tuple[int, ...]]
    """The numbers as they stand in the record."""
    unit: float
    """A value is its number times this."""

    def __call__(self, record: RequestRecord) -> Values:
        """The values, as any formula gives them."""
        return tuple(number * self.unit for number in self.held(record))

    def numbers(self, record: RequestRecord) -> Numbers:
        """The numbers in a form that keeps well and that numpy takes as it is."""
        return array("q", self.held(record))


class Better(StrEnum):
    """Which direction is good news."""

    LOWER = "lower"
    HIGHER = "higher"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table."""

    name: str
    """Ends in the unit where it has one: this is the key in `summary.json`."""
    unit: str
    better: Better
    formula: Formula
    doc: str
    """One or two sentences, in the words of the definitions."""

    @property
    def pooled(self) -> Pooled | None:
        """The formula, where a record has many values; None where it has one at most."""
        return self.formula if isinstance(self.formula, Pooled) else None


def enters_statistics(record: RequestRecord) -> bool:
    """Whether a record counts in metrics: it was measured, not warm-up, and its answer ended well."""
    return record.phase is Phase.MEASURE and record.outcome is Outcome.OK


def values_of(record: RequestRecord) -> dict[str, Values]:
    """Every metric's values of one record; empty where the record does not enter statistics."""
    if not enters_statistics(record):
        return {}
    return {name: values for name, metric in METRICS.items() if (values := metric.formula(record))}


def send_lag_s(record: RequestRecord) -> Values:
    """The generator's own lateness, in seconds, whatever the outcome."""
    return _seconds(record.scheduled_ns, record.sent_ns)


def _seconds(start_ns: int | None, end_ns: int | None) -> Values:
    if start_ns is None or end_ns is None:
        return ()
    return ((end_ns - start_ns) * _S_PER_NS,)


def _since_submitted(record: RequestRecord, end_ns: int | None) -> Values:
    """From submission to `end_ns`, plus the send lag: lateness of ours is never the server's speed."""
    if end_ns is None or record.submitted_ns is None or record.sent_ns is None:
        return ()
    return ((end_ns - record.submitted_ns + record.sent_ns - record.scheduled_ns) * _S_PER_NS,)


def _ttft(record: RequestRecord) -> Values:
    return _since_submitted(record, record.first_token_ns)


def _ttfo(record: RequestRecord) -> Values:
    return _since_submitted(record, record.first_output_ns)


def _generator_lag(record: RequestRecord) -> Values:
    lag_us = record.first_token_lag_us
    return () if lag_us is None else (lag_us * _S_PER_US,)


def _ttft_kernel(record: RequestRecord) -> Values:
    lag = _generator_lag(record)
    return tuple(value - lag[0] for value in _ttft(record)) if lag else ()


def _ttfo_kernel(record: RequestRecord) -> Values:
    # The kernel's stamp is kept for the first token only.
    return _ttft_kernel(record) if record.first_output_ns == record.first_token_ns else ()


_itl = Pooled(lambda record: record.output_gaps_us, _S_PER_US)


def _tpot(record: RequestRecord) -> Values:
    tokens, first, last = record.output_tokens, record.first_token_ns, record.last_output_ns
    if not record.streamed or tokens is None or tokens < 2 or first is None or last is None:
        return ()
    return ((last - first) * _S_PER_NS / (tokens - 1),)


def _e2e(record: RequestRecord) -> Values:
    return _since_submitted(record, record.finished_ns)


def _ratio(above: float | None, below: float | None) -> Values:
    return () if above is None or not below else (above / below,)


def _per_e2e_second(record: RequestRecord, amount: float | None) -> Values:
    wait = _e2e(record)
    return _ratio(amount, wait[0]) if wait and wait[0] > 0 else ()


def _e2e_per_char(record: RequestRecord) -> Values:
    return tuple(share for wait in _e2e(record) for share in _ratio(wait, record.output_chars))


def _tokens_per_chunk(record: RequestRecord) -> Values:
    if not record.streamed or record.first_token_ns is None:
        return ()
    return _ratio(record.output_tokens, len(record.output_gaps_us) + 1)


def _optional(value: float | None) -> Values:
    return () if value is None else (float(value),)


def _image_bytes_out(record: RequestRecord) -> Values:
    return _ratio(record.image_bytes_out or None, record.images)


_ROWS = (
    Metric(
        "ttft_s",
        "s",
        Better.LOWER,
        _ttft,
        "Time to first token: first token - submitted + send lag. The first token is the first non-empty "
        "generated text that the path delivers, reasoning or answer. By Python's own instants.",
    ),
    Metric(
        "ttfo_s",
        "s",
        Better.LOWER,
        _ttfo,
        "Time to first output: the same to the first text of the answer, reasoning excluded.",
    ),
    Metric(
        "ttft_incl_upload_s",
        "s",
        Better.LOWER,
        lambda record: _seconds(record.scheduled_ns, record.first_token_ns),
        "First token - scheduled. The API carries its image inside the request; a page uploads it before.",
    ),
    Metric(
        "ttfo_incl_upload_s",
        "s",
        Better.LOWER,
        lambda record: _seconds(record.scheduled_ns, record.first_output_ns),
        "First output - scheduled.",
    ),
    Metric(
        "ttft_kernel_s",
        "s",
        Better.LOWER,
        _ttft_kernel,
        "TTFT by the kernel's arrival stamp: TTFT - generator lag. Absent without kernel stamps.",
    ),
    Metric(
        "ttfo_kernel_s",
        "s",
        Better.LOWER,
        _ttfo_kernel,
        "TTFO by the kernel's arrival stamp; known only where the first token is the first output.",
    ),
    Metric(
        "itl_s",
        "s",
        Better.LOWER,
        _itl,
        "Inter-token latency: every gap between consecutive text deltas, pooled over gaps. A delta may hold "
        "several tokens (see tokens_per_chunk), so ITL is not TPOT.",
    ),
    Metric(
        "tpot_s",
        "s",
        Better.LOWER,
        _tpot,
        "Time per output token: (last output - first token) / (output tokens - 1), from two tokens up. "
        "Absent where the server states no token count or did not stream.",
    ),
    Metric(
        "e2e_s",
        "s",
        Better.LOWER,
        _e2e,
        "End-to-end latency: finished - submitted + send lag.",
    ),
    Metric(
        "e2e_incl_upload_s",
        "s",
        Better.LOWER,
        lambda record: _seconds(record.scheduled_ns, record.finished_ns),
        "Finished - scheduled.",
    ),
    Metric(
        "upload_s",
        "s",
        Better.LOWER,
        lambda record: _seconds(record.sent_ns, record.submitted_ns),
        "Submitted - sent: what a page spends on taking the images before the question goes off. "
        "0 on the API.",
    ),
    Metric(
        "send_lag_s",
        "s",
        Better.LOWER,
        send_lag_s,
        "Sent - scheduled: the generator's own lateness.",
    ),
    Metric(
        "generator_lag_s",
        "s",
        Better.LOWER,
        _generator_lag,
        "Python's read - kernel arrival, at the read that brought the first token. "
        "Absent without kernel stamps.",
    ),
    Metric(
        "prompt_tokens",
        "tokens",
        Better.NONE,
        lambda record: _optional(record.prompt_tokens),
        "Tokens of the question, images included, as the server counts them.",
    ),
    Metric(
        "output_tokens",
        "tokens",
        Better.NONE,
        lambda record: _optional(record.output_tokens),
        "Generated tokens, reasoning included, as the server counts them.",
    ),
    Metric(
        "tokens_per_chunk",
        "tokens",
        Better.NONE,
        _tokens_per_chunk,
        "Output tokens / text deltas of a streamed answer.",
    ),
    Metric(
        "output_tokens_per_s",
        "tokens/s",
        Better.HIGHER,
        lambda record: _per_e2e_second(record, record.output_tokens),
        "Output tokens / end-to-end latency, per request.",
    ),
    Metric(
        "output_chars",
        "characters",
        Better.NONE,
        lambda record: _optional(record.output_chars),
        "Characters of the answer, reasoning excluded.",
    ),
    Metric(
        "output_chars_per_s",
        "characters/s",
        Better.HIGHER,
        lambda record: _per_e2e_second(record, record.output_chars),
        "Characters of the answer / end-to-end latency, per request.",
    ),
    Metric(
        "e2e_per_char_s",
        "s",
        Better.LOWER,
        _e2e_per_char,
        "End-to-end latency / characters of the answer: compares paths whose answers differ in length.",
    ),
    Metric(
        "image_bytes",
        "bytes",
        Better.NONE,
        lambda record: _ratio(record.image_bytes or None, record.images),
        "Size of one image file before any encoding (mean over the images of the request).",
    ),
    Metric(
        "image_bytes_out",
        "bytes",
        Better.LOWER,
        _image_bytes_out,
        "Bytes written to carry one image: base64 data URL or multipart body "
        "(mean over the images of the request).",
    ),
    Metric(
        "image_bytes_ratio",
        "1",
        Better.LOWER,
        lambda record: _ratio(record.image_bytes_out or None, record.image_bytes),
        "Bytes written to carry the images / size of the image files.",
    ),
    Metric(
        "bytes_out",
        "bytes",
        Better.LOWER,
        lambda record: (float(record.bytes_out),),
        "Bytes that the request wrote to its connections.",
    ),
    Metric(
        "bytes_in",
        "bytes",
        Better.LOWER,
        lambda record: (float(record.bytes_in),),
        "Bytes that the request read from its connections.",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
