"""Every metric of a run for Prometheus, one row each; docs/PROMETHEUS.md is checked against these rows."""

from dataclasses import dataclass
from typing import Literal

from glm_locust.metrics import METRICS, Metric

Kind = Literal["histogram", "counter", "gauge"]
LabelValues = tuple[str, ...]
"""In the order of the family's labels."""

REQUEST_BUCKETS_S = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75,
    1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0,
)  # fmt: skip
TOKEN_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0,
)  # fmt: skip

MOST_PATHS = 6
MOST_TASKS = 24
MOST_WORKERS = 64
OTHER = "other"
"""Label value of all further paths, tasks or workers, so that no data set can make endless series."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. A counter's name ends in `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    doc: str
    metric: Metric | None = None
    """Of a histogram: the metric whose values it counts."""
    bounds_s: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets, without the last one, +Inf."""


_BY_TASK = ("path", "task")

_ROWS = (
    Family(
        "glm_ttft_seconds",
        "histogram",
        _BY_TASK,
        "Time to first token, send lag included",
        METRICS["ttft_s"],
        REQUEST_BUCKETS_S,
    ),
    Family(
        "glm_itl_seconds",
        "histogram",
        _BY_TASK,
        "Inter-token latency: every gap between consecutive text deltas; without exemplars",
        METRICS["itl_s"],
        TOKEN_BUCKETS_S,
    ),
    Family(
        "glm_tpot_seconds",
        "histogram",
        _BY_TASK,
        "Time per output token after the first, one value per request",
        METRICS["tpot_s"],
        TOKEN_BUCKETS_S,
    ),
    Family(
        "glm_e2e_seconds",
        "histogram",
        _BY_TASK,
        "End-to-end latency, send lag included",
        METRICS["e2e_s"],
        REQUEST_BUCKETS_S,
    ),
    Family(
        "glm_requests_total",
        "counter",
        (*_BY_TASK, "outcome"),
        "Measured requests by how they ended: ok, failed or cancelled",
    ),
    Family(
        "glm_errors_total",
        "counter",
        (*_BY_TASK, "error_kind"),
        "Measured requests that did not end well, by whose fault",
    ),
    Family(
        "glm_output_tokens_total",
        "counter",
        _BY_TASK,
        "Generated tokens of measured requests that ended well, as the server counts them",
    ),
    Family(
        "glm_prompt_tokens_total",
        "counter",
        _BY_TASK,
        "Tokens of their questions, images included, as the server counts them",
    ),
    Family(
        "glm_in_flight",
        "gauge",
        ("path",),
        "Requests begun and not finished, over all workers, warm-up included",
    ),
    Family(
        "glm_arrivals_total",
        "counter",
        ("outcome",),
        "Open loop: requests that were due: started, or dropped because no user was free; not in an export",
    ),
    Family(
        "glm_arrival_rate",
        "gauge",
        (),
        "Open loop: requests per second that are due now, on average; not in an export",
    ),
    Family(
        "glm_generator_lag_seconds",
        "gauge",
        ("worker",),
        "Largest Python's read - kernel arrival at first tokens of the last second; absent where none came",
    ),
    Family(
        "glm_send_lag_seconds",
        "gauge",
        ("worker",),
        "Largest sent - scheduled of the requests sent in the last second; absent where none was sent",
    ),
    Family(
        "glm_generator_cpu_ratio",
        "gauge",
        ("worker",),
        "CPU time of the worker's process over time, last second: 1 is a whole core; not in an export",
    ),
    Family("glm_workers_lost", "gauge", (), "Workers that are gone, of which records may be missing"),
    Family(
        "glm_run_info",
        "gauge",
        ("run_id", "version", "design", "seed"),
        "Always 1; which run the others are of",
    ),
    Family("glm_run_start_time_seconds", "gauge", (), "When the run began, in seconds since the epoch"),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _ROWS}


class Fold:
    """Lets the first so many values of a label be, and calls all later ones `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def __call__(self, value: str) -> str:
        """The value itself, or `other`."""
        known = self._known.get(value)
        if known is None:
            if len(self._known) >= self._most:
                return OTHER
            known = self._known[value] = value
        return known


def families_table() -> str:
    """The table of metrics in Markdown."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for row in FAMILIES.values():
        labels = " ".join(row.labels) or "-"
        lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.doc} |")
    return "\n".join(lines)


def buckets_table() -> str:
    """The bounds of the histograms in Markdown."""
    lines = ["| histogram | upper bounds of its buckets in s, and +Inf |", "|---|---|"]
    lines += [
        f"| `{row.name}` | {' '.join(f'{bound:g}' for bound in row.bounds_s)} |"
        for row in FAMILIES.values()
        if row.bounds_s
    ]
    return "\n".join(lines)
