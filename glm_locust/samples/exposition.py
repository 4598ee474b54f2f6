"""Prometheus's text format, as far as gauges and counters go."""

from prometheus_client.parser import text_string_to_metric_families

MOST_SERIES = 2000
"""Series kept of one endpoint; more are somebody's per-client labels, not the state of an engine."""


def plain_values(text: str) -> dict[str, float]:
    """Gauges and counters of a text exposition, without buckets; ValueError for what is none."""
    kept = "\n".join(line for line in text.splitlines() if "_bucket{" not in line) + "\n"
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(kept):
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
            if len(values) >= MOST_SERIES:
                return values
    return values
