"""What came of one request by hand: a table for people, an object for programs."""

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from glm_locust.cli.terminal import milliseconds, printable
from glm_locust.metrics import METRICS
from glm_locust.protocols.streamlit.account import Account, CandidateUse, WidgetUse
from glm_locust.records import RequestRecord

FORMAT = 1
"""Raised when a reader of the old JSON would misread the new one."""
_INSTANTS = ("scheduled", "sent", "submitted", "accepted", "first_token", "first_output", "last_output")
_TIMES = {"ttft_s": "TTFT", "ttfo_s": "TTFO", "tpot_s": "TPOT", "e2e_s": "E2E latency"}
_NAME_WIDTH = 14


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, or a refusal where there was nothing to ask."""

    url: str
    path: str
    record: RequestRecord | None = None
    refusal: str | None = None
    answer: str = ""
    account: Account | None = None
    """Of a page."""

    def table(self) -> Iterator[str]:
        """The lines of the table."""
        if self.record is not None:
            yield from _record_lines(self.record)
        if self.account is not None:
            yield from _account_lines(self.account)

    def as_json(self) -> dict[str, Any]:
        """The object of `--json`; docs/ASK.md documents its keys."""
        record = self.record
        told: dict[str, Any] = {
            "format": FORMAT,
            "url": self.url,
            "path": self.path,
            "outcome": record.outcome if record is not None else "refused",
            "error_kind": record.error_kind if record is not None else None,
            "error_detail": record.error_detail if record is not None else self.refusal,
            "answer": self.answer,
            "times_ms": None,
            "metrics": None,
            "record": None,
            "page": None,
        }
        if record is not None:
            told["times_ms"] = {name: _rounded(ns) for name, ns in _instants(record)}
            told["metrics"] = _metrics(record)
            told["record"] = msgspec.to_builtins(record)
        if self.account is not None:
            told["page"] = asdict(self.account) | {"version": _version(self.account)}
        return told


def _instants(record: RequestRecord) -> Iterator[tuple[str, int | None]]:
    """Each instant in ns after the submission, or after the schedule where nothing was submitted."""
    zero = record.submitted_ns if record.submitted_ns is not None else record.scheduled_ns
    for name in (*_INSTANTS, "finished"):
        at_ns: int | None = getattr(record, f"{name}_ns")
        yield name, None if at_ns is None else at_ns - zero


def _metrics(record: RequestRecord) -> dict[str, float | None]:
    found = {name: METRICS[name].formula(record) for name in _TIMES}
    times: dict[str, float | None] = {name: values[0] if values else None for name, values in found.items()}
    gaps = record.output_gaps_us
    return times | {"itl_median_s": statistics.median(gaps) / 1e6 if gaps else None}


def _record_lines(record: RequestRecord) -> Iterator[str]:
    outcome = " ".join(filter(None, (record.outcome, record.error_kind)))
    yield _line("outcome", f"{outcome}: {record.error_detail}" if record.error_detail else outcome)
    metrics = _metrics(record)
    for name, words in _TIMES.items():
        if (value := metrics[name]) is not None:
            yield _line(words, f"{value * 1e3:,.1f} ms")
    if (gap := metrics["itl_median_s"]) is not None:
        yield _line("ITL median", f"{gap * 1e3:,.1f} ms over {len(record.output_gaps_us)} gaps")
    if record.output_tokens is not None:
        yield _line("tokens", f"{_known(record.prompt_tokens)} in, {record.output_tokens:,} out")
    else:
        yield _line("tokens", "not told by the server")
    yield _line("characters", f"{record.output_chars:,}")
    images = f", {record.image_bytes_out:,} of them for images" if record.images else ""
    yield _line("bytes", f"{record.bytes_out:,} out{images}; {record.bytes_in:,} in")
    if record.first_token_lag_us is not None:
        yield _line("generator lag", f"{record.first_token_lag_us:,} us at the first token")
    zero = "submission" if record.submitted_ns is not None else "schedule; nothing was submitted"
    yield _line("instants", f"in ms after the {zero}")
    for name, ns in _instants(record):
        yield _line(f"  {name.replace('_', ' ')}", f"{milliseconds(ns) if ns is not None else '-':>12}")


def _account_lines(account: Account) -> Iterator[str]:
    yield ""
    lost = f", {account.lost_sessions} lost sessions" if account.lost_sessions else ""
    yield f"page: Streamlit {_version(account) or 'of unknown version'}{lost}"
    width = max((len(_widget(widget)) for widget in account.widgets), default=0)
    for widget in account.widgets:
        used = f"used for {' and '.join(widget.used_for)}: {widget.why}" if widget.used_for else "ignored"
        yield f"  {_widget(widget):<{width}}  {used}"
    if not account.widgets:
        yield "  no widgets"
    for candidate in account.candidates:
        yield _candidate(candidate)


def _widget(widget: WidgetUse) -> str:
    key = f" key {widget.key!r}" if widget.key else ""
    return printable(f"{widget.kind} {widget.label!r}{key}{' disabled' if widget.disabled else ''}")


def _candidate(candidate: CandidateUse) -> str:
    role = "answer" if candidate.chosen else "not it"
    place = ",".join(map(str, candidate.path))
    text = candidate.text if len(candidate.text) <= 50 else candidate.text[:49] + "…"
    count = (
        f"{candidate.updates} update{'s' if candidate.updates > 1 else ''}, {candidate.chars:,} characters"
    )
    return printable(f"  {role} [{place}] {text!r}, {count}: {candidate.why}")


def _version(account: Account) -> str | None:
    return ".".join(map(str, account.version)) or None


def _line(name: str, value: str) -> str:
    return f"{name:<{_NAME_WIDTH}}{printable(value)}"


def _known(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _rounded(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)
