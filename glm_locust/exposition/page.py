"""RunPage: what a scrape gets."""

from collections import defaultdict
from collections.abc import Iterator

from glm_locust.exposition.families import FAMILIES, LabelValues
from glm_locust.exposition.tally import RunTally, Tallied, Values
from glm_locust.exposition.text import Format, HistogramLines, end, head, sample


class RunPage:
    """The metrics of one run as text; only what has changed since the last page is written anew."""

    def __init__(self, tally: RunTally) -> None:
        self._tally = tally
        self._lines: dict[tuple[str, LabelValues], HistogramLines] = {}

    def text(self, form: Format, gauges: Values) -> str:
        """The whole page."""
        return "".join(self.pieces(form, gauges))

    def pieces(self, form: Format, gauges: Values) -> Iterator[str]:
        """The page in pieces, none of them long in the making: others may do their work between them.

        What is told of one path and task is of one instant. Pieces may be empty.
        """
        lines: dict[str, list[str]] = defaultdict(list)
        for labels, tallied in self._tally.kinds():
            for name, text in self._of_one_kind(labels, tallied, form):
                lines[name].append(text)
            yield ""
        for name, values in gauges.items():
            lines[name] += [sample(FAMILIES[name], labels, value) for labels, value in sorted(values.items())]
        for name, family in FAMILIES.items():
            if lines[name]:
                yield head(family, form) + "".join(lines[name])
        yield end(form)

    def _of_one_kind(self, kind: LabelValues, tallied: Tallied, form: Format) -> Iterator[tuple[str, str]]:
        for name, histogram in tallied.histograms.items():
            lines = self._lines.get((name, kind))
            if lines is None:
                lines = self._lines[name, kind] = HistogramLines(FAMILIES[name], kind)
            yield name, lines.written(histogram, form)
        for name, values in tallied.counters().items():
            for labels, value in values.items():
                yield name, sample(FAMILIES[name], (*kind, *labels), value)
