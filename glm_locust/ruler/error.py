"""How far records are from the truth: errors of TTFT and ITL, request by request, gap by gap."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgspec

from glm_locust.metrics import Summary
from glm_locust.records import Outcome, RequestRecord

TTFT_ERROR_BOUND_US = 5000.0
ITL_ERROR_BOUND_US = 5000.0
"""A load generator whose errors are larger at p99 measures itself."""
FEWEST_GAPS = 100
"""Fewer tell nothing of a p99."""


class Truth(msgspec.Struct, frozen=True):
    """What the server knows of one answer; instants in ns since the epoch."""

    id: str
    received_ns: int
    """The request was complete."""
    token_ns: list[int]
    """Right before each token was handed to the kernel."""


def read_truth(path: Path) -> dict[str, Truth]:
    """The server's log by id of the answer."""
    decode = msgspec.json.Decoder(Truth).decode
    with path.open("rb") as file:
        return {truth.id: truth for truth in map(decode, file)}


@dataclass(frozen=True, slots=True)
class Reading:
    """Errors at one load, in us; quantiles are None where there was nothing to measure."""

    requests: int
    failed: int
    merged: int
    """Answers of which some tokens came in one read, so that their gaps cannot be told apart."""
    ttft_p50_us: float | None
    ttft_p99_us: float | None
    kernel_ttft_p99_us: float | None
    """TTFT by the kernel's stamps; None where there are none."""
    itl_p99_us: float | None
    tokens_per_s: float

    @property
    def trusted(self) -> bool:
        """Whether the generator can be believed at this load."""
        ttft, itl = self.ttft_p99_us, self.itl_p99_us
        if self.failed or ttft is None or itl is None:
            return False
        return ttft <= TTFT_ERROR_BOUND_US and itl <= ITL_ERROR_BOUND_US


def reading(records: Iterable[RequestRecord], truth: Mapping[str, Truth], since_ns: int) -> Reading:
    """Errors of the requests that were sent from `since_ns` on and whose truth is known.

    TTFT, from submission to the first token, is compared with the server's own, from the complete
    request to its first token: what is left was added by the client and the way. Of a gap between
    two tokens the server's own gap is taken off.
    """
    ttft_us: list[float] = []
    kernel_us: list[float] = []
    itl_us: list[float] = []
    requests = failed = merged = tokens = 0
    begun_ns, ended_ns = None, 0
    for record in records:
        if record.submitted_ns is None or record.submitted_ns < since_ns:
            continue
        known = truth.get(record.upstream_id or "")
        if record.outcome is not Outcome.OK or known is None or record.first_token_ns is None:
            failed += record.outcome is Outcome.FAILED
            continue
        requests += 1
        tokens += len(known.token_ns)
        begun_ns = record.submitted_ns if begun_ns is None else min(begun_ns, record.submitted_ns)
        ended_ns = max(ended_ns, record.finished_ns)
        seen_us = (record.first_token_ns - record.submitted_ns) / 1e3
        error_us = seen_us - (known.token_ns[0] - known.received_ns) / 1e3
        ttft_us.append(abs(error_us))
        if record.first_token_lag_us is not None:
            kernel_us.append(abs(error_us - record.first_token_lag_us))
        gaps = record.output_gaps_us
        if len(gaps) != len(known.token_ns) - 1:
            merged += 1
            continue
        itl_us += _gap_errors_us(gaps, known.token_ns)
    ttft, kernel, itl = Summary(ttft_us), Summary(kernel_us), Summary(itl_us)
    span_s = (ended_ns - begun_ns) / 1e9 if begun_ns is not None else 0.0
    return Reading(
        requests=requests,
        failed=failed,
        merged=merged,
        ttft_p50_us=ttft.quantile(0.5),
        ttft_p99_us=ttft.quantile(0.99),
        kernel_ttft_p99_us=kernel.quantile(0.99),
        itl_p99_us=itl.quantile(0.99) if itl.n >= FEWEST_GAPS else None,
        tokens_per_s=tokens / span_s if span_s else 0.0,
    )


def _gap_errors_us(gaps_us: Sequence[int], token_ns: Sequence[int]) -> list[float]:
    true_us = ((later - earlier) / 1e3 for earlier, later in pairwise(token_ns))
    return [abs(gap - true) for gap, true in zip(gaps_us, true_us, strict=True)]
