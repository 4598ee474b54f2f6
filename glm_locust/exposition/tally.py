"""RunTally: a sink of a run that counts what Prometheus is told of its requests."""

from collections import Counter
from collections.abc import Mapping, Sequence

from glm_locust.exposition.families import FAMILIES, MOST_PATHS, MOST_TASKS, Fold, LabelValues
from glm_locust.exposition.histogram import Histogram
from glm_locust.metrics import enters_statistics
from glm_locust.records import Phase, RequestRecord

Values = Mapping[str, Mapping[LabelValues, float]]
"""Of counters and gauges: family name -> label values -> value."""

_MEASURED = {family: family.metric for family in FAMILIES.values() if family.metric is not None}


class Tallied:
    """The measured requests of one path and task."""

    def __init__(self) -> None:
        self.histograms = {
            family.name: Histogram(family.bounds_s, metric.pooled) for family, metric in _MEASURED.items()
        }
        """By name of the family."""
        self.outcomes: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.output_tokens = 0
        self.prompt_tokens = 0
        told = [(metric, self.histograms[family.name]) for family, metric in _MEASURED.items()]
        self._single = [(metric.formula, histogram) for metric, histogram in told if metric.pooled is None]
        self._pooled = [(metric.pooled, histogram) for metric, histogram in told if metric.pooled is not None]

    def accept(self, record: RequestRecord) -> None:
        """Take one record."""
        self.outcomes[record.outcome] += 1
        if record.error_kind is not None:
            self.errors[record.error_kind] += 1
        if not enters_statistics(record):
            return
        self.output_tokens += record.output_tokens or 0
        self.prompt_tokens += record.prompt_tokens or 0
        for pooled, histogram in self._pooled:
            histogram.add_numbers(pooled.numbers(record))
        for formula, histogram in self._single:
            for value in formula(record):
                histogram.add(value, record)

    def counters(self) -> Values:
        """The counters so far; label values are those after path and task."""
        return {
            "glm_requests_total": {(outcome,): count for outcome, count in self.outcomes.items()},
            "glm_errors_total": {(error,): count for error, count in self.errors.items()},
            "glm_output_tokens_total": {(): self.output_tokens},
            "glm_prompt_tokens_total": {(): self.prompt_tokens},
        }


class RunTally:
    """Histograms and counters of the measured requests of one run."""

    def __init__(self) -> None:
        self._path = Fold(MOST_PATHS)
        self._task = Fold(MOST_TASKS)
        self._kinds: dict[LabelValues, Tallied] = {}

    def accept(self, record: RequestRecord) -> None:
        """Take one record."""
        if record.phase is Phase.MEASURE:
            labels = (self._path(record.path), self._task(record.task))
            kind = self._kinds.get(labels)
            if kind is None:
                kind = self._kinds[labels] = Tallied()
            kind.accept(record)

    def kinds(self) -> Sequence[tuple[LabelValues, Tallied]]:
        """All there are now, with their path and task."""
        return tuple(self._kinds.items())
