"""Judge: hears the records of a run and says of each objective whether it was met.

A verdict is `invalid`, not `fail`, where the run cannot tell: too few requests, nothing measured, or a
limit that was passed only by the generator's own lateness.
"""

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from glm_locust.errors import ExitCode
from glm_locust.metrics import METRICS, Values, send_lag_s
from glm_locust.records import Outcome, Phase, RequestRecord
from glm_locust.slo.objective import Condition, FailureShare, Goodput, MetricStatistic, Objective

_S_PER_NS = 1e-9

_SEND_LAG = (send_lag_s,)
_BOTH_LAGS = (send_lag_s, METRICS["generator_lag_s"].formula)
_LATENESS: dict[str, tuple[Callable[[RequestRecord], tuple[float, ...]], ...]] = {
    "ttft_s": _BOTH_LAGS,
    "ttfo_s": _SEND_LAG,
    "ttft_incl_upload_s": _BOTH_LAGS,
    "ttfo_incl_upload_s": _SEND_LAG,
    "ttft_kernel_s": _SEND_LAG,
    "ttfo_kernel_s": _SEND_LAG,
    "e2e_s": _SEND_LAG,
    "e2e_incl_upload_s": _SEND_LAG,
}
"""Metric -> what of it is the generator's own lateness."""

_WITHIN_ANSWERS = ("itl_s", "tpot_s")
"""Metrics that an answer of one piece does not have: it has nothing to be slow between."""


class Ruling(StrEnum):
    """What can be said of an objective, or of a run."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    INVALID = "invalid"

    @property
    def exit_code(self) -> ExitCode:
        """What a process ends with that ends by this ruling."""
        match self:
            case Ruling.PASS:
                return ExitCode.PASS
            case Ruling.FAIL:
                return ExitCode.SLO_NOT_MET
            case Ruling.INVALID:
                return ExitCode.INVALID


class Reason(StrEnum):
    """Why a verdict is invalid."""

    NO_REQUESTS = "no_requests"
    TOO_FEW = "too_few"
    NOT_MEASURED = "not_measured"
    GENERATOR_LATE = "generator_late"


@dataclass(frozen=True, slots=True)
class Windows:
    """How the windows of an objective fared; those without any request do not count."""

    judged: int
    failed: int
    too_few: int
    """Windows with too few requests to be judged."""
    worst_begins_s: float | None
    """Begin of the worst window, in seconds from the first measured request."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the run says of one objective; of several windows, the worst."""

    objective: Objective
    ruling: Ruling
    measured: float | None
    """In the unit of the objective's measure; None where nothing could be measured."""
    n: int
    """Values behind `measured`: requests, or gaps for ITL."""
    reason: Reason | None = None
    missing_on: tuple[str, ...] = ()
    """NOT_MEASURED: paths on which no request has the metric."""
    windows: Windows | None = None


def overall(verdicts: Iterable[Verdict]) -> Ruling:
    """Of all together: invalid before fail before pass."""
    found = {verdict.ruling for verdict in verdicts}
    return next((one for one in (Ruling.INVALID, Ruling.FAIL) if one in found), Ruling.PASS)


class Judge:
    """Takes each record of a run once, in any order."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        self._hearings = [_Hearing(objective) for objective in objectives]
        self._first_ns: int | None = None

    def hear(self, record: RequestRecord) -> None:
        """Take one record; only measured requests that ended by themselves bear on objectives."""
        if record.phase is not Phase.MEASURE or record.outcome is Outcome.CANCELLED:
            return
        first_ns = self._first_ns
        self._first_ns = record.scheduled_ns if first_ns is None else min(first_ns, record.scheduled_ns)
        for hearing in self._hearings:
            if hearing.objective.scope.takes(record):
                hearing.take(record)

    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict per objective, in their order, by what was heard so far."""
        return tuple(hearing.verdict(self._first_ns or 0) for hearing in self._hearings)


@dataclass(frozen=True, slots=True)
class _Part:
    """A ruling over some values."""

    ruling: Ruling
    measured: float | None
    n: int
    reason: Reason | None = None


class _Hearing:
    """What bears on one objective."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        # A float tells instants 0.2 us apart, and holds whatever a damaged file may say.
        self._at_s = array("d")
        self._values = array("d")
        """The metric, or 1 for a request that counts in a share and 0 for one that does not."""
        self._on_time = array("d")
        """The same without the generator's lateness."""
        self._answers: dict[str, int] = {}
        """Path -> answered requests."""
        self._having: dict[tuple[str, str], int] = {}
        """(Path, metric) -> those that have the metric."""
        self._spans_ns: dict[tuple[int | None, int | None], tuple[int, int]] = {}
        self._requests = 0

    def take(self, record: RequestRecord) -> None:
        self._requests += 1
        ok = record.outcome is Outcome.OK
        self._answers[record.path] = self._answers.get(record.path, 0) + ok
        match self.objective.measure:
            case MetricStatistic(metric=metric):
                if ok:
                    lateness_s = _lateness_s(metric, record)
                    for value in self._values_of(metric, record):
                        self._add(record, value, value - lateness_s)
            case FailureShare():
                self._add(record, float(not ok), float(not ok))
            case Goodput(conditions=conditions):
                met = [self._meets(condition, record) for condition in conditions] if ok else []
                self._add(
                    record,
                    float(ok and all(plain for plain, _ in met)),
                    float(ok and all(on_time for _, on_time in met)),
                )
                self._extend_span(record)

    def verdict(self, first_ns: int) -> Verdict:
        if not self._requests:
            return Verdict(self.objective, Ruling.INVALID, None, 0, Reason.NO_REQUESTS)
        if missing := self._missing_on():
            return Verdict(self.objective, Ruling.INVALID, None, 0, Reason.NOT_MEASURED, missing)
        window_s = self.objective.window_s
        if window_s is None:
            part = self._judged(self._values, self._on_time, self._loaded_s())
            return Verdict(self.objective, part.ruling, part.measured, part.n, part.reason)
        return self._worst(first_ns, window_s)

    def _worst(self, first_ns: int, window_s: float) -> Verdict:
        found: dict[int, tuple[array[float], array[float]]] = {}
        for at_s, value, on_time in zip(self._at_s, self._values, self._on_time, strict=True):
            number = math.floor((at_s - first_ns * _S_PER_NS) / window_s)
            values, all_on_time = found.setdefault(number, (array("d"), array("d")))
            values.append(value)
            all_on_time.append(on_time)
        parts = {
            number: self._judged(values, all_on_time, window_s)
            for number, (values, all_on_time) in sorted(found.items())
            if self._whole(number, first_ns, window_s)
        }
        judged = {number: part for number, part in parts.items() if part.reason is not Reason.TOO_FEW}
        downwards = self.objective.comparison.downwards

        def badness(number: int) -> tuple[bool, float]:
            part = judged[number]
            measured = part.measured or 0.0
            return part.ruling is Ruling.FAIL, measured if downwards else -measured

        worst = max(judged, key=badness, default=None)
        windows = Windows(
            judged=len(judged),
            failed=sum(part.ruling is Ruling.FAIL for part in judged.values()),
            too_few=len(parts) - len(judged),
            worst_begins_s=None if worst is None else worst * window_s,
        )
        if worst is None:
            most = max((part.n for part in parts.values()), default=0)
            return Verdict(self.objective, Ruling.INVALID, None, most, Reason.TOO_FEW, windows=windows)
        part = judged[worst]
        late = next((one for one in judged.values() if one.reason is not None), None)
        if part.ruling is Ruling.PASS and late is not None:
            part = late
        return Verdict(self.objective, part.ruling, part.measured, part.n, part.reason, windows=windows)

    def _whole(self, number: int, first_ns: int, window_s: float) -> bool:
        """Whether the run went on to the end of this window; only a rate must know."""
        measure = self.objective.measure
        if not (isinstance(measure, Goodput) and measure.per_second):
            return True
        last_ns = max(end for _, end in self._spans_ns.values())
        return last_ns >= first_ns + (number + 1) * window_s / _S_PER_NS

    def _judged(self, values: Sequence[float], on_time: Sequence[float], loaded_s: float) -> _Part:
        part = self._ruled(values, loaded_s)
        if part.ruling is Ruling.FAIL and self._ruled(on_time, loaded_s).ruling is Ruling.PASS:
            return _Part(Ruling.INVALID, part.measured, part.n, Reason.GENERATOR_LATE)
        return part

    def _ruled(self, values: Sequence[float], loaded_s: float) -> _Part:
        objective, n = self.objective, len(values)
        match objective.measure:
            case MetricStatistic(quantile=quantile):
                if n < objective.needed:
                    return _Part(Ruling.INVALID, None, n, Reason.TOO_FEW)
                measured = _mean(values) if quantile is None else _quantile(values, quantile)
            case Goodput(per_second=True):
                if loaded_s <= 0:
                    return _Part(Ruling.INVALID, None, n, Reason.TOO_FEW)
                measured = math.fsum(values) / loaded_s
            case FailureShare() | Goodput():
                measured = _mean(values)
        holds = objective.comparison.holds(measured, objective.limit)
        if n < objective.needed and (holds or self._decided_by_one(values)):
            return _Part(Ruling.INVALID, measured, n, Reason.TOO_FEW)
        return _Part(Ruling.PASS if holds else Ruling.FAIL, measured, n)

    def _decided_by_one(self, values: Sequence[float]) -> bool:
        """Whether a missed share would be met had one request ended otherwise."""
        comparison = self.objective.comparison
        otherwise = math.fsum(values) + (-1 if comparison.downwards else 1)
        return comparison.holds(otherwise / len(values), self.objective.limit)

    def _values_of(self, metric: str, record: RequestRecord) -> tuple[float, ...]:
        values = METRICS[metric].formula(record)
        if values:
            key = record.path, metric
            self._having[key] = self._having.get(key, 0) + 1
        return values

    def _meets(self, condition: Condition, record: RequestRecord) -> tuple[bool, bool]:
        """Whether every value of the request meets the condition: as measured, and without our lateness."""
        values = self._values_of(condition.metric, record)
        lateness_s = _lateness_s(condition.metric, record)
        return _all_hold(condition, values), _all_hold(condition, values, lateness_s)

    def _missing_on(self) -> tuple[str, ...]:
        match self.objective.measure:
            case MetricStatistic(metric=metric):
                metrics: tuple[str, ...] = (metric,)
            case Goodput(conditions=conditions):
                metrics = tuple(condition.metric for condition in conditions)
            case FailureShare():
                return ()
        return tuple(
            path
            for path, answers in self._answers.items()
            if answers and any((path, metric) not in self._having for metric in metrics)
        )

    def _loaded_s(self) -> float:
        """How long requests of the scope were under way, block by block."""
        return sum(end - begin for begin, end in self._spans_ns.values()) * _S_PER_NS

    def _extend_span(self, record: RequestRecord) -> None:
        here = record.scheduled_ns, record.finished_ns
        begin, end = self._spans_ns.get((record.block, record.level), here)
        self._spans_ns[record.block, record.level] = min(begin, here[0]), max(end, here[1])

    def _add(self, record: RequestRecord, value: float, on_time: float) -> None:
        self._at_s.append(record.scheduled_ns * _S_PER_NS)
        self._values.append(value)
        self._on_time.append(on_time)


def meets(
    conditions: Iterable[Condition], record: RequestRecord, known: Mapping[str, Values] = MappingProxyType({})
) -> bool:
    """Whether a request was answered and, as measured, met every condition.

    `known`: metrics of it whose values have been computed already.
    """
    if record.outcome is not Outcome.OK:
        return False
    for condition in conditions:
        values = known.get(condition.metric)
        if values is None:
            values = METRICS[condition.metric].formula(record)
        if not _all_hold(condition, values):
            return False
    return True


def _all_hold(condition: Condition, values: Sequence[float], lateness_s: float = 0.0) -> bool:
    """Whether every value of a request meets the condition, the generator's lateness taken off."""
    if not values:
        return condition.metric in _WITHIN_ANSWERS
    worst = max(values) if condition.comparison.downwards else min(values)
    return condition.comparison.holds(worst - lateness_s, condition.limit)


def _lateness_s(metric: str, record: RequestRecord) -> float:
    return sum(value for formula in _LATENESS.get(metric, ()) for value in formula(record))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _quantile(values: Sequence[float], quantile: float) -> float:
    """Interpolated between neighbours, as in reports."""
    ordered = sorted(values)
    position = quantile * (len(ordered) - 1)
    below = math.floor(position)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (position - below)
