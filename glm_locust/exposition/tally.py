"""RunTally: a sink of a run that counts what Prometheus is told of its requests."""

from collections import Counter
from collections.abc import Iterator, Mapping

from glm_locust.exposition.families import FAMILIES, MOST_PATHS, MOST_TASKS, Fold
from glm_locust.exposition.histogram import Histogram
from glm_locust.metrics import enters_statistics
from glm_locust.records import Phase, RequestRecord

LabelValues = tuple[str, ...]
"""In the order of the family's labels."""
Values = Mapping[str, Mapping[LabelValues, float]]
"""Of counters and gauges: family name -> label values -> value."""

_HISTOGRAMS = tuple(family for family in FAMILIES.values() if family.kind == "histogram")
_GAPS = "glm_itl_seconds"


class _Kind:
    """The measured requests of one path and task."""

    def __init__(self) -> None:
        self.histograms = {family.name: Histogram(family.bounds_s) for family in _HISTOGRAMS}
        self.outcomes: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.output_tokens = 0
        self.prompt_tokens = 0
        self._gaps = self.histograms[_GAPS]
        self._single = [
            (family.metric.formula, self.histograms[family.name])
            for family in _HISTOGRAMS
            if family.metric is not None and family.name != _GAPS
        ]

    def accept(self, record: RequestRecord) -> None:
        self.outcomes[record.outcome] += 1
        if record.error_kind is not None:
            self.errors[record.error_kind] += 1
        if not enters_statistics(record):
            return
        self.output_tokens += record.output_tokens or 0
        self.prompt_tokens += record.prompt_tokens or 0
        self._gaps.add_gaps(record.output_gaps_us)
        for formula, histogram in self._single:
            for value in formula(record):
                histogram.add(value, record)


class RunTally:
    """Histograms and counters of the measured requests of one run."""

    def __init__(self) -> None:
        self._path = Fold(MOST_PATHS)
        self._task = Fold(MOST_TASKS)
        self._kinds: dict[LabelValues, _Kind] = {}

    def accept(self, record: RequestRecord) -> None:
        """Take one record."""
        if record.phase is Phase.MEASURE:
            labels = (self._path(record.path), self._task(record.task))
            kind = self._kinds.get(labels)
            if kind is None:
                kind = self._kinds[labels] = _Kind()
            kind.accept(record)

    def histograms(self, family: str) -> Iterator[tuple[LabelValues, Histogram]]:
        """By label values, the histograms of a family."""
        for labels, kind in self._kinds.items():
            yield labels, kind.histograms[family]

    def counters(self) -> Values:
        """The counters so far."""
        kinds = self._kinds.items()
        return {
            "glm_requests_total": {
                (*labels, outcome): count
                for labels, kind in kinds
                for outcome, count in kind.outcomes.items()
            },
            "glm_errors_total": {
                (*labels, error): count for labels, kind in kinds for error, count in kind.errors.items()
            },
            "glm_output_tokens_total": {labels: kind.output_tokens for labels, kind in kinds},
            "glm_prompt_tokens_total": {labels: kind.prompt_tokens for labels, kind in kinds},
        }
