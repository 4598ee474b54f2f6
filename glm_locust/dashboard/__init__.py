"""The live dashboard: a bounded read model of the run that is on, and the pages that show it.

`LiveRun` is pure: records, readings and times come as arguments. `pages` is the edge to Flask.
"""

from glm_locust.dashboard.gauges import Arrivals, Device, Gauges
from glm_locust.dashboard.live import LiveRun

__all__ = ["Arrivals", "Device", "Gauges", "LiveRun"]
