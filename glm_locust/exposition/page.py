"""RunPage: what a scrape gets."""

from collections.abc import Iterator

from glm_locust.exposition.families import FAMILIES, Family
from glm_locust.exposition.tally import LabelValues, RunTally, Values
from glm_locust.exposition.text import Format, HistogramLines, end, head, sample


class RunPage:
    """The metrics of one run as text; only what has changed since the last page is written anew."""

    def __init__(self, tally: RunTally) -> None:
        self._tally = tally
        self._lines: dict[tuple[str, LabelValues], HistogramLines] = {}

    def text(self, form: Format, gauges: Values) -> str:
        """The whole page."""
        values = {**self._tally.counters(), **gauges}
        parts: list[str] = []
        for family in FAMILIES.values():
            lines = [
                *self._histograms(family, form),
                *(
                    sample(family, labels, value)
                    for labels, value in sorted(values.get(family.name, {}).items())
                ),
            ]
            if lines:
                parts.append(head(family, form))
                parts += lines
        return "".join(parts) + end(form)

    def _histograms(self, family: Family, form: Format) -> Iterator[str]:
        if family.kind != "histogram":
            return
        for labels, histogram in self._tally.histograms(family.name):
            lines = self._lines.get((family.name, labels))
            if lines is None:
                lines = self._lines[family.name, labels] = HistogramLines(family, labels)
            yield lines.written(histogram, form)
