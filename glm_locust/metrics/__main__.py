"""`python -m glm_locust.metrics` prints docs/METRICS.md."""

import sys

from glm_locust.metrics.document import metrics_markdown

sys.stdout.write(metrics_markdown())
