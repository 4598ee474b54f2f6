"""A finished run as OpenMetrics text with instants: what a Prometheus that scraped it would have kept.

Every series is given at every tick, as by scrapes at a steady interval, and counters begin at 0 with
the run. What only a live worker can tell, its CPU share, is not there.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from glm_locust.exposition.families import (
    FAMILIES,
    MOST_PATHS,
    MOST_TASKS,
    MOST_WORKERS,
    Family,
    Fold,
    LabelValues,
)
from glm_locust.exposition.gauges import run_values
from glm_locust.exposition.histogram import Histogram
from glm_locust.exposition.sampled import SampledSeries
from glm_locust.exposition.tally import Values
from glm_locust.exposition.text import Format, HistogramLines, end, head, sample
from glm_locust.metrics import enters_statistics
from glm_locust.records import Phase, RequestRecord, RunFooter, RunHeader

JOB = "glm"
"""The label `job` that the shipped scrape configuration gives; `instance` is the run's id."""
_NS_PER_S = 1_000_000_000
_SOURCE = ("job", "instance")

Events = list[tuple[int, float]]
"""(instant in ns, amount)."""


@dataclass(frozen=True, slots=True)
class Past:
    """A run as its directory holds it."""

    header: RunHeader
    footer: RunFooter | None
    records: Sequence[RequestRecord]
    sampled: Sequence[SampledSeries] = ()


def openmetrics(past: Past, step_s: float) -> Iterator[str]:
    """The text in pieces; a series for every `step_s` from the begin of the run to its end."""
    ticks = _ticks(past, step_s)
    source = (JOB, past.header.run_id)
    events = _Events(past.records)
    lost = sum(bool(account.get("lost")) for account in past.footer.workers.values()) if past.footer else 0
    constant: Values = {**run_values(past.header), "glm_workers_lost": {(): float(lost)}}
    for family in FAMILIES.values():
        pieces = _one_family(
            replace(family, labels=(*_SOURCE, *family.labels)), source, ticks, events, constant
        )
        first = next(pieces, None)
        if first is not None:
            yield head(family, Format.OPENMETRICS)
            yield first
            yield from pieces
    yield from _samples(past.sampled, ticks)
    yield end(Format.OPENMETRICS)


def _one_family(
    family: Family,
    source: LabelValues,
    ticks: Sequence[int],
    events: "_Events",
    constant: Values,
) -> Iterator[str]:
    if family.kind == "histogram":
        for labels, records in events.good.items():
            yield from _histogram(family, (*source, *labels), records, ticks)
    for labels, value in constant.get(family.name, {}).items():
        for at_ns in ticks:
            yield sample(family, (*source, *labels), value, at_ns / _NS_PER_S)
    for labels, amounts in events.sums[family.name].items():
        yield from _sum(family, (*source, *labels), amounts, ticks)
    for labels, amounts in events.largest[family.name].items():
        yield from _largest(family, (*source, *labels), amounts, ticks)


class _Events:
    """The records of a run, sorted by what they add to which series."""

    def __init__(self, records: Iterable[RequestRecord]) -> None:
        self.good: dict[LabelValues, list[RequestRecord]] = defaultdict(list)
        """Those whose values enter histograms, in the order of their ends."""
        self.sums: dict[str, dict[LabelValues, Events]] = defaultdict(lambda: defaultdict(list))
        """Series that are running sums: counters, and requests in flight."""
        self.largest: dict[str, dict[LabelValues, Events]] = defaultdict(lambda: defaultdict(list))
        """Series that show the largest value since the tick before."""
        self._path, self._task = Fold(MOST_PATHS), Fold(MOST_TASKS)
        self._worker = Fold(MOST_WORKERS)
        for record in sorted(records, key=lambda record: record.finished_ns):
            self._take(record)

    def _take(self, record: RequestRecord) -> None:
        path, at_ns = self._path(record.path), record.finished_ns
        worker = (self._worker(record.worker_id),)
        began_ns = record.scheduled_ns if record.sent_ns is None else record.sent_ns
        self.sums["glm_in_flight"][path,] += [(began_ns, 1), (at_ns, -1)]
        if record.sent_ns is not None:
            lag_ns = record.sent_ns - record.scheduled_ns
            self.largest["glm_send_lag_seconds"][worker].append((record.sent_ns, lag_ns / _NS_PER_S))
        if record.first_token_ns is not None and record.first_token_lag_us is not None:
            lag_s = record.first_token_lag_us * 1e-6
            self.largest["glm_generator_lag_seconds"][worker].append((record.first_token_ns, lag_s))
        if record.phase is not Phase.MEASURE:
            return
        kind = (path, self._task(record.task))
        self.sums["glm_requests_total"][*kind, record.outcome].append((at_ns, 1))
        if record.error_kind is not None:
            self.sums["glm_errors_total"][*kind, record.error_kind].append((at_ns, 1))
        if enters_statistics(record):
            self.good[kind].append(record)
            self.sums["glm_output_tokens_total"][kind].append((at_ns, record.output_tokens or 0))
            self.sums["glm_prompt_tokens_total"][kind].append((at_ns, record.prompt_tokens or 0))


def _ticks(past: Past, step_s: float) -> range:
    begin_ns = past.header.started_ns
    last_ns = max((record.finished_ns for record in past.records), default=begin_ns)
    if past.footer is not None:
        last_ns = max(last_ns, past.footer.ended_ns)
    step_ns = round(step_s * _NS_PER_S)
    return range(begin_ns, last_ns + step_ns + 1, step_ns)


def _histogram(
    family: Family, labels: LabelValues, records: Sequence[RequestRecord], ticks: Sequence[int]
) -> Iterator[str]:
    assert family.metric is not None
    pooled = family.metric.pooled
    histogram = Histogram(family.bounds_s, pooled)
    lines = HistogramLines(family, labels)
    done = 0
    for at_ns in ticks:
        while done < len(records) and records[done].finished_ns <= at_ns:
            if pooled is None:
                for value in family.metric.formula(records[done]):
                    histogram.add(value)
            else:
                histogram.add_numbers(pooled.numbers(records[done]))
            done += 1
        yield lines.at(histogram, at_ns / _NS_PER_S)


def _sum(family: Family, labels: LabelValues, events: Events, ticks: Sequence[int]) -> Iterator[str]:
    events = sorted(events)
    total, done = 0.0, 0
    for at_ns in ticks:
        while done < len(events) and events[done][0] <= at_ns:
            total += events[done][1]
            done += 1
        yield sample(family, labels, total, at_ns / _NS_PER_S)


def _largest(family: Family, labels: LabelValues, events: Events, ticks: Sequence[int]) -> Iterator[str]:
    events = sorted(events)
    done = 0
    for at_ns in ticks:
        found: float | None = None
        while done < len(events) and events[done][0] <= at_ns:
            found = events[done][1] if found is None else max(found, events[done][1])
            done += 1
        if found is not None:
            yield sample(family, labels, found, at_ns / _NS_PER_S)


def _samples(found: Iterable[SampledSeries], ticks: Sequence[int]) -> Iterator[str]:
    introduced = ""
    for series in sorted(found, key=lambda series: (series.family.name, series.labels)):
        if series.family.name != introduced:
            introduced = series.family.name
            yield head(series.family, Format.OPENMETRICS)
        for at_ns in ticks:
            value = series.at(at_ns)
            if value is not None:
                yield sample(series.family, series.labels, value, at_ns / _NS_PER_S)
