"""Which readings TTFT moved with, judged together; the slowest requests and what they met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glm_locust.correlate.association import Requests, variance_shares
from glm_locust.correlate.verdict import Finding, Judgement, judge
from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.records import RequestRecord
from glm_locust.samples.readings import NS, Readings
from glm_locust.samples.windows import BEFORE_S, Joined

SLOWEST = 20
MOST_DECILE_READINGS = 3
FEWEST_PER_BIN = 20
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Bin:
    """Requests that met about the same value of a reading."""

    n: int
    reading: float
    """Median of the window means."""
    p50_s: float
    p50_low_s: float
    p50_high_s: float
    p95_s: float
    p95_low_s: float
    p95_high_s: float


@dataclass(frozen=True, slots=True)
class Deciles:
    """TTFT of one path by the value of a reading in the window on which it is tested."""

    reading: str
    path: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class SlowRequest:
    """One request and the means of all readings from its submission to its first token."""

    record: RequestRecord
    ttft_s: float
    readings: dict[str, float]


@dataclass(frozen=True, slots=True)
class Correlation:
    """What TTFT moved with."""

    n: int
    judgement: Judgement
    variance: dict[str, float]
    """Share of the variance of log TTFT that each adds: task, concurrency, time, readings, unexplained."""
    deciles: tuple[Deciles, ...]
    slowest: tuple[SlowRequest, ...]


def correlation_of(joined: Joined, readings: Readings, hosts: Mapping[str, str]) -> Correlation | None:
    """Judge all readings that may be judged; None where no measured request has a first token.

    `hosts` gives the host of every worker.
    """
    chosen = [
        (i, METRICS["ttft_s"].formula(record)[0])
        for i, record in enumerate(joined.records)
        if enters_statistics(record) and METRICS["ttft_s"].formula(record)
    ]
    if not chosen:
        return None
    rows = np.array([i for i, _ in chosen])
    ttft_s = np.array([seconds for _, seconds in chosen])
    records = [joined.records[i] for i in rows]
    requests = _requests(records, ttft_s, joined.records)
    judged = {name: series for name, series in joined.series.items() if readings.readings[name].judged}
    judgement = judge(
        judged,
        requests,
        windows={
            name: (requests.submitted_s - BEFORE_S, requests.submitted_s)
            for name in judged
            if readings.readings[name].window == "before"
        },
        run_s=float((max(r.finished_ns for r in records) - min(r.scheduled_ns for r in records)) / NS),
        clock_bounds_s={name: readings.clock_bound_s(name, hosts) for name in judged},
    )
    means = {name: joined.mean[name, "ttft"][rows] for name in joined.series}
    met = {name: joined.mean[name, readings.readings[name].window][rows] for name in judged}
    return Correlation(
        n=len(records),
        judgement=judgement,
        variance=_variance(requests, judgement, met),
        deciles=tuple(
            deciles
            for finding in _shown(judgement)
            for deciles in _deciles(finding.name, met[finding.name], records, ttft_s)
        ),
        slowest=tuple(
            SlowRequest(
                records[i],
                float(ttft_s[i]),
                {name: float(values[i]) for name, values in means.items() if np.isfinite(values[i])},
            )
            for i in np.argsort(-ttft_s, kind="stable")[:SLOWEST]
        ),
    )


def _requests(
    records: Sequence[RequestRecord], ttft_s: np.ndarray, everyone: Sequence[RequestRecord]
) -> Requests:
    submitted, first = (
        np.array([getattr(record, name) for record in records], float) / NS
        for name in ("submitted_ns", "first_token_ns")
    )
    began = np.sort([record.sent_ns or record.scheduled_ns for record in everyone]).astype(float) / NS
    ended = np.sort([record.finished_ns for record in everyone]).astype(float) / NS
    in_flight = np.searchsorted(began, submitted, "right") - np.searchsorted(ended, submitted, "right")
    tokens = [record.prompt_tokens for record in records]
    known = all(count is not None for count in tokens)
    size = [float(count or 0) for count in tokens] if known else [r.image_pixels for r in records]
    of_path, of_task, of_level = (
        np.unique([str(getattr(record, name)) for record in records], return_inverse=True)[1]
        for name in ("path", "task", "level")
    )
    factors = (of_path * (of_level.max() + 1) + of_level, of_path * (of_task.max() + 1) + of_task)
    if len(records) < 10 * sum(len(np.unique(factor)) for factor in factors):
        factors = (of_path, of_task)
    return Requests(
        begin_s=submitted,
        end_s=first,
        submitted_s=submitted,
        ttft_s=ttft_s,
        controls=(np.array(size, float), in_flight.astype(float)),
        factors=factors,
    )


def _variance(requests: Requests, judgement: Judgement, means: Mapping[str, np.ndarray]) -> dict[str, float]:
    claimed = [_filled(means[finding.name]) for finding in judgement.findings if finding.claimed]
    size, in_flight = requests.controls
    groups = [
        ("task", [size], list(requests.factors)),
        ("concurrency", [in_flight], []),
        ("time", [requests.submitted_s], []),
        *([("readings", claimed, [])] if claimed else []),
    ]
    return variance_shares(np.maximum(requests.ttft_s, 1e-6), groups)


def _filled(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.where(known, values, np.median(values[known]) if known.any() else 0.0)


def _shown(judgement: Judgement) -> list[Finding]:
    """The claimed readings; where there is none, the one nearest to it."""
    ordered = sorted(judgement.findings, key=lambda finding: -abs(finding.association.rho))
    claimed = [finding for finding in ordered if finding.claimed]
    return claimed[:MOST_DECILE_READINGS] or ordered[:1]


def _deciles(
    name: str, means: np.ndarray, records: Sequence[RequestRecord], ttft_s: np.ndarray
) -> list[Deciles]:
    found = []
    paths = np.array([record.path for record in records])
    for path in dict.fromkeys(paths):
        mine = (paths == path) & np.isfinite(means)
        count = min(10, int(mine.sum()) // FEWEST_PER_BIN)
        if count < 2:
            continue
        edges = np.unique(np.quantile(means[mine], np.linspace(0, 1, count + 1)))
        place = np.clip(np.searchsorted(edges, means[mine], "right") - 1, 0, max(0, len(edges) - 2))
        rng = np.random.default_rng(0)
        bins = [
            _bin(means[mine][place == k], ttft_s[mine][place == k], rng)
            for k in range(max(1, len(edges) - 1))
            if np.sum(place == k) >= FEWEST_PER_BIN // 2
        ]
        if len(bins) > 1:
            found.append(Deciles(name, str(path), tuple(bins)))
    return found


def _bin(means: np.ndarray, ttft_s: np.ndarray, rng: np.random.Generator) -> Bin:
    drawn = ttft_s[rng.integers(0, len(ttft_s), (DRAWS, len(ttft_s)))]
    bands = [np.quantile(np.quantile(drawn, q, axis=1), [0.025, 0.975]) for q in (0.5, 0.95)]
    p50, p95 = np.quantile(ttft_s, [0.5, 0.95])
    figures = (np.median(means), p50, *bands[0], p95, *bands[1])
    return Bin(len(ttft_s), *(float(figure) for figure in figures))
