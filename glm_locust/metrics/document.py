"""docs/METRICS.md, from the table."""

from glm_locust.metrics.summary import RELATIVE_ERROR_BOUND, SMALLEST_N
from glm_locust.metrics.table import METRICS, Better

_GOOD = {Better.LOWER: "lower", Better.HIGHER: "higher", Better.NONE: "-"}


def metrics_markdown() -> str:
    """The whole page."""
    rows = "\n".join(f"| `{m.name}` | {m.unit} | {_GOOD[m.better]} | {m.doc} |" for m in METRICS.values())
    rules = ", ".join(f"p{round(q * 100)} with n < {n}" for q, n in SMALLEST_N.items())
    return f"""# Metrics

Printed by `python -m glm_locust.metrics` from the table in `glm_locust/metrics/table.py`; a test
keeps both alike.

Only requests of the phase `measure` whose answer ended well enter a metric. Failed and cancelled requests
are counted beside. Every instant behind a metric is named in the record (`glm_locust/records/record.py`).

| name | unit | better | meaning |
|---|---|---|---|
{rows}

Percentiles are interpolated between neighbouring values. {rules[0].upper() + rules[1:]} are not printed
(`n/a`, in JSON `null`). Reports compute them exactly from the records; live views use mergeable summaries
whose quantiles are within {RELATIVE_ERROR_BOUND:.2%} of the exact ones.
"""
