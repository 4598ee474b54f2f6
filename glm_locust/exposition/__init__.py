"""The numbers of a run as Prometheus metrics: while it is on, and of a finished one."""

from glm_locust.exposition.families import FAMILIES, Family, buckets_table, families_table
from glm_locust.exposition.gauges import RunGauges
from glm_locust.exposition.page import RunPage
from glm_locust.exposition.tally import RunTally
from glm_locust.exposition.text import Format, negotiated

__all__ = [
    "FAMILIES",
    "Family",
    "Format",
    "RunGauges",
    "RunPage",
    "RunTally",
    "buckets_table",
    "families_table",
    "negotiated",
]
