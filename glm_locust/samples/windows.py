"""What each request met: every reading over the request's windows, joined on raw samples."""

import gzip
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from glm_locust.correlate.series import Series
from glm_locust.records import RequestRecord
from glm_locust.samples.readings import NS, Readings

BEFORE_S = 1.0

WINDOWS_NAME = "windows.jsonl.gz"
WINDOWS = ("ttft", "decode", "before")
"""[submitted, first token], [first token, end], and the second before the request was submitted: the
state it met, which its own work cannot have caused. A request without a first token waited until its
end, and has no second window."""


class WindowLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `windows.jsonl.gz`: reading -> window -> [mean, maximum, coverage], None: unknown."""

    worker_id: str
    seq: int
    readings: dict[str, dict[str, tuple[float | None, float | None, float]]]


@dataclass(frozen=True, slots=True)
class Joined:
    """The windows of all requests, by reading and window, in the order of `records`."""

    records: tuple[RequestRecord, ...]
    mean: dict[tuple[str, str], np.ndarray]
    maximum: dict[tuple[str, str], np.ndarray]
    coverage: dict[tuple[str, str], np.ndarray]
    series: dict[str, Series]
    """On the clock of the worker with most requests; exact for hosts that share a clock."""

    def lines(self) -> Iterable[WindowLine]:
        """One line a request."""
        names = sorted({name for name, _ in self.mean})
        for i, record in enumerate(self.records):
            yield WindowLine(
                worker_id=record.worker_id,
                seq=record.seq,
                readings={
                    name: {
                        window: (
                            _known(self.mean[name, window][i]),
                            _known(self.maximum[name, window][i]),
                            round(float(self.coverage[name, window][i]), 4),
                        )
                        for window in WINDOWS
                    }
                    for name in names
                },
            )


def join(records: Sequence[RequestRecord], readings: Readings) -> Joined:
    """Join the requests that were submitted with all readings, each worker by its own clock."""
    kept = tuple(r for r in records if r.submitted_ns is not None)
    rows_of: dict[str, list[int]] = defaultdict(list)
    for i, record in enumerate(kept):
        rows_of[record.worker_id].append(i)
    n = len(kept)
    mean: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.full(n, np.nan))
    maximum: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.full(n, np.nan))
    coverage: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(n))
    main: dict[str, Series] = {}
    for worker, rows in sorted(rows_of.items(), key=lambda item: len(item[1])):
        submitted, end = (
            np.array([getattr(kept[i], name) for i in rows], float) / NS
            for name in ("submitted_ns", "finished_ns")
        )
        answered = np.array([kept[i].first_token_ns is not None for i in rows])
        first = np.array([kept[i].first_token_ns or kept[i].finished_ns for i in rows], float) / NS
        main = readings.series(worker)
        for name, series in main.items():
            for window, begin_s, end_s in (
                ("ttft", submitted, first),
                ("decode", first, end),
                ("before", submitted - BEFORE_S, submitted),
            ):
                found = series.windows(begin_s, end_s)
                there = answered | (window != "decode")
                mean[name, window][rows] = np.where(there, found.mean, np.nan)
                maximum[name, window][rows] = np.where(there, found.maximum, np.nan)
                coverage[name, window][rows] = np.where(there, found.coverage, 0.0)
    return Joined(kept, dict(mean), dict(maximum), dict(coverage), main)


def write_windows(joined: Joined, path: Path) -> None:
    """Write all lines, replacing what was there; the same run gives the same bytes. Raises OSError."""
    encode = msgspec.json.Encoder().encode
    content = b"".join(encode(line) + b"\n" for line in joined.lines())
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(gzip.compress(content, compresslevel=5, mtime=0))
    unfinished.replace(path)


def _known(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
