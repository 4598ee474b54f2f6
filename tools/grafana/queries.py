"""PromQL as the dashboards use it: what is measured, of the run that was chosen.

Series of a load test bear no run id, `glm_run_info` does: a query keeps what stood beside it. So the
choice of a run holds for a live run, for several in one master, and for an imported one.

Counters of a run begin at 0 with it. Therefore their plain values are the totals of the run so far,
exact, and need no window: what `compare` asks block by block is never there for all paths at once.
"""

from collections.abc import Sequence

RUN = 'glm_run_info{run_id=~"$run"}'
RATE_WINDOW = "[$__rate_interval]"
SHOWN = "[$__range:5s]"
"""All that is shown, looked at every 5 s: one look a second costs Prometheus four times as much."""
ENDED = 'outcome=~"ok|failed"'


def of_run(expression: str) -> str:
    """Only while the chosen run was on."""
    return f"{expression} and on (job, instance) {RUN}"


def measured(metric: str, *matchers: str, path: str = 'path=~"$path"') -> str:
    """The series of a metric by path and task that the variables leave."""
    return metric + "{" + ",".join((path, 'task=~"$task"', *matchers)) + "}"


def rate(series: str) -> str:
    """How fast counters of the run grow."""
    return of_run(f"rate({series}{RATE_WINDOW})")


def so_far(series: str) -> str:
    """Counters of the run as they stand."""
    return of_run(series)


def in_all(series: str) -> str:
    """Counters of the run at its end, or at that of the time shown."""
    return f"last_over_time(({of_run(series)}){SHOWN})"


def summed(expression: str, *labels: str) -> str:
    """The sum, by these labels."""
    return f"sum by ({', '.join(labels)}) ({expression})" if labels else f"sum({expression})"


def quantile(share: float, buckets: str, *labels: str) -> str:
    """A quantile of histograms that are merged but for these labels."""
    return f"histogram_quantile({share:g}, {summed(buckets, 'le', *labels)})"


def divided(part: str, whole: str, labels: Sequence[str] = ()) -> str:
    """A share; 0, not nothing, where the whole is there and the part never was."""
    above, below = summed(part, *labels), summed(whole, *labels)
    return f"({above} or 0 * {below}) / {below}"
