"""Metrics as text: Prometheus's own format, and OpenMetrics, which also carries exemplars and instants.

prometheus-client reads what is written here in the tests. It does not write it, because of two things
that it cannot do: reuse the lines of what has not changed, and give many instants of one series.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate

from prometheus_client.exposition import choose_encoder

from glm_locust.exposition.families import Family, LabelValues
from glm_locust.exposition.histogram import Exemplar, Histogram
from glm_locust.records import RequestRecord

MOST_EXEMPLAR_CHARS = 128
"""OpenMetrics' limit for the names and values of all labels of an exemplar."""
MOST_LABEL_SETS = 4096
"""Texts of labels that are kept."""
_TOTAL = "_total"
_S_PER_NS = 1e-9


class Format(StrEnum):
    """How metrics are written; the value is the content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def negotiated(accept: str) -> Format:
    """The format that a client asks for by its Accept header."""
    _, content_type = choose_encoder(accept)
    return Format.OPENMETRICS if content_type.startswith("application/openmetrics-text") else Format.TEXT


def head(family: Family, form: Format) -> str:
    """The lines that introduce a family."""
    name = family.name
    if form is Format.OPENMETRICS and family.kind == "counter":
        name = name.removesuffix(_TOTAL)
    doc = _escaped(family.doc, quotes=form is Format.OPENMETRICS)
    return f"# HELP {name} {doc}\n# TYPE {name} {family.kind}\n"


def end(form: Format) -> str:
    """What closes a page."""
    return "# EOF\n" if form is Format.OPENMETRICS else ""


def sample(family: Family, labels: LabelValues, value: float, at_s: float | None = None) -> str:
    """One line of a counter or gauge."""
    return f"{family.name}{_labels(family.labels, labels)} {_number(value)}{_instant(at_s)}\n"


class HistogramLines:
    """Writes one histogram again and again; what does not change of its lines is made once."""

    def __init__(self, family: Family, labels: LabelValues) -> None:
        bounds = [_number(bound) for bound in family.bounds_s] + ["+Inf"]
        names = (*family.labels, "le")
        own = _labels(family.labels, labels)
        series = [f"{family.name}_bucket{_labels(names, (*labels, bound))}" for bound in bounds]
        series += [f"{family.name}_count{own}", f"{family.name}_sum{own}"]
        # Name, value and end of each line: to fill in values and to join is faster than any formatting.
        self._plain = [part for name in series for part in (f"{name} ", "", "\n")]
        self._told = self._plain.copy()
        self._exemplars: list[Exemplar | None] = [None] * len(bounds)
        self._written: dict[Format, tuple[int, str]] = {}

    def written(self, histogram: Histogram, form: Format) -> str:
        """As it is now."""
        changes, text = self._written.get(form, (-1, ""))
        if changes != histogram.changes:
            if form is Format.OPENMETRICS:
                self._tell(histogram.exemplars)
                text = _filled(self._told, histogram)
            else:
                text = _filled(self._plain, histogram)
            self._written[form] = (histogram.changes, text)
        return text

    def at(self, histogram: Histogram, at_s: float) -> str:
        """As it is now, said to be of this instant."""
        parts = self._plain.copy()
        parts[2::3] = [f"{_instant(at_s)}\n"] * (len(parts) // 3)
        return _filled(parts, histogram)

    def _tell(self, exemplars: Sequence[Exemplar | None]) -> None:
        for bucket, exemplar in enumerate(exemplars):
            if exemplar is not None and exemplar is not self._exemplars[bucket]:
                self._exemplars[bucket] = exemplar
                self._told[3 * bucket + 2] = f"{_exemplar(*exemplar)}\n"


def _filled(parts: list[str], histogram: Histogram) -> str:
    below = [str(count) for count in accumulate(histogram.counts)]
    parts[1::3] = [*below, below[-1], _number(histogram.total)]
    return "".join(parts)


@lru_cache(maxsize=MOST_LABEL_SETS)
def _labels(names: LabelValues, values: LabelValues) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{shown}}}" if shown else ""


@lru_cache(maxsize=MOST_LABEL_SETS)
def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def _number(value: float) -> str:
    return repr(float(value))


def _instant(at_s: float | None) -> str:
    return "" if at_s is None else f" {at_s:.3f}"


def _exemplar(record: RequestRecord, value: float) -> str:
    worker, seq = record.worker_id, str(record.seq)
    if len("request_id") + len(worker) + len("/") + len(seq) > MOST_EXEMPLAR_CHARS:
        return ""
    at_s = record.finished_ns * _S_PER_NS
    return f' # {{request_id="{_escaped(worker)}/{seq}"}} {_number(round(value, 9))}{_instant(at_s)}'
