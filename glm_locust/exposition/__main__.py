"""`python -m glm_locust.exposition` prints the tables of docs/PROMETHEUS.md."""

import sys

from glm_locust.exposition import buckets_table, families_table

if __name__ == "__main__":
    sys.stdout.write(f"{families_table()}\n\n{buckets_table()}\n")
