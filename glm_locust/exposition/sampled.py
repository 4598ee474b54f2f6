"""What exporters and endpoints were read to say during a run, as the series that Prometheus knows them by."""

import math
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glm_locust.exposition.families import Family, Kind, LabelValues
from glm_locust.samples.store import Rows, SampleLine, Scrape

FRESH_NS = 3_000_000_000
"""A value that is older was not there to be scraped."""
LONGEST_SPAN_S = 0.5
"""No more is credited to an integral for one sample: a gap is not busy time."""

_EXPORTERS_NAME = re.compile(r"(?:gpu|host|process_group)_[a-z0-9_]+")
_ENDPOINTS_NAME = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>[^\\\n]*)\})?")
_LABEL = re.compile(r'(\w+)="([^"]*)"(?:,|$)', re.ASCII)
_GPU = ("job", "instance", "gpu", "uuid")
_HOST = ("job", "instance")
_GROUP = ("job", "instance", "group")


@dataclass(frozen=True, slots=True)
class SampledSeries:
    """One series with all its samples, in order of time."""

    family: Family
    labels: LabelValues
    times_ns: list[int]
    values: list[float]

    def at(self, at_ns: int) -> float | None:
        """The newest value at this instant; None where it is too old."""
        index = bisect_right(self.times_ns, at_ns) - 1
        if index < 0 or at_ns - self.times_ns[index] > FRESH_NS:
            return None
        return self.values[index]


def sampled_series(lines: Iterable[SampleLine]) -> list[SampledSeries]:
    """The series of a run's samples: `gpu_*`, `host_*`, `process_group_*`, and those of endpoints.

    Instants are those of the clock that stamped a sample. `gpu_busy_seconds_total` is summed up again.
    """
    intake = _Intake()
    for line in lines:
        if isinstance(line, Rows):
            intake.take_rows(line)
        elif isinstance(line, Scrape):
            intake.take_scrape(line)
    return intake.series()


Key = tuple[str, tuple[str, ...], LabelValues]
"""Name, names of labels, their values."""


class _Intake:
    """Sorts raw lines into series; rows that repeat count once."""

    def __init__(self) -> None:
        self._points: dict[Key, list[tuple[int, float]]] = defaultdict(list)
        self._seen: dict[tuple[str, str], int] = {}
        self._uuids: dict[tuple[str, str], str] = {}

    def take_rows(self, line: Rows) -> None:
        for gpu, identity in line.gpus.items():
            if identity:
                self._uuids[line.source, gpu] = str(identity.get("uuid", ""))
        for row in line.rows:
            seq = int(row.get("seq", 0))
            if seq > self._seen.get((line.source, line.instance), 0):
                self._seen[line.source, line.instance] = seq
                self._take_row(line.source, row)

    def take_scrape(self, line: Scrape) -> None:
        for written, value in line.values.items():
            found = _ENDPOINTS_NAME.fullmatch(written)
            if found is None or not math.isfinite(value):
                continue
            text = found["labels"] or ""
            labels = _LABEL.findall(text)
            if "".join(f'{name}="{said}",' for name, said in labels) != (f"{text}," if text else ""):
                continue  # a value with quotes in it: which is which cannot be told any more
            names = ("job", "instance", *(name for name, _ in labels))
            values = ("engine", line.source, *(said for _, said in labels))
            self._add(found["name"], names, values, line.t1_ns, value)

    def series(self) -> list[SampledSeries]:
        found = []
        for (name, names, labels), points in [*self._points.items(), *self._busy().items()]:
            points.sort()
            kind: Kind = "counter" if name.endswith("_total") else "gauge"
            family = Family(name, kind, names, "As it was sampled during the run")
            found.append(SampledSeries(family, labels, [t for t, _ in points], [v for _, v in points]))
        return found

    def _take_row(self, source: str, row: Mapping[str, Any]) -> None:
        at_ns = int(row.get("t1_ns", 0))
        values, gpu = row.get("v"), str(row.get("gpu"))
        who = ("gpu", source)
        match row.get("kind"):
            case "gpu" | "gpu_slow" | "gpu_activity" if isinstance(values, dict):
                for name, value in values.items():
                    self._add_ours(name, _GPU, (*who, gpu, self._uuids.get((source, gpu), "")), at_ns, value)
                if row["kind"] == "gpu":
                    self._add("gpu_up", ("job", "instance", "gpu"), (*who, gpu), at_ns, 1.0)
            case "host" if isinstance(values, dict):
                for name, value in values.items():
                    self._add_ours(name, _HOST, who, at_ns, value)
            case "process_groups" if isinstance(groups := row.get("groups"), dict):
                for group, facts in groups.items():
                    for part, value in facts.items():
                        self._add_ours(f"process_group_{part}", _GROUP, (*who, str(group)), at_ns, value)

    def _add_ours(
        self, name: str, names: tuple[str, ...], labels: LabelValues, at_ns: int, value: object
    ) -> None:
        if (
            _EXPORTERS_NAME.fullmatch(name)
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and math.isfinite(value)
        ):
            self._add(name, names, labels, at_ns, float(value))

    def _add(self, name: str, names: tuple[str, ...], labels: LabelValues, at_ns: int, value: float) -> None:
        self._points[name, names, labels].append((at_ns, value))

    def _busy(self) -> dict[Key, list[tuple[int, float]]]:
        """Integrals of the utilisation, as the exporter makes them, from 0 at the first sample."""
        integrals: dict[Key, list[tuple[int, float]]] = {}
        for (name, names, labels), points in self._points.items():
            if name != "gpu_utilization_ratio":
                continue
            points.sort()
            total, before_ns = 0.0, points[0][0]
            integral = integrals["gpu_busy_seconds_total", names, labels] = []
            for at_ns, value in points:
                total += min((at_ns - before_ns) * 1e-9, LONGEST_SPAN_S) * value
                before_ns = at_ns
                integral.append((at_ns, total))
        return integrals
