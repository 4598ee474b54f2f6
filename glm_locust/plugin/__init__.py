"""The plugin: glm_locust inside Locust, on the master, on workers and in local runs.

A locustfile calls `install()` once at its top. Whoever adds to a run, as the comparison does,
passes a `Director` and finds the parts of the run by the accessors.
"""

from glm_locust.delivery import recorder_of
from glm_locust.plugin.director import Director
from glm_locust.plugin.listeners import channel_of, install, run_of, scenario_of
from glm_locust.plugin.lossy import Lossy

__all__ = ["Director", "Lossy", "channel_of", "install", "recorder_of", "run_of", "scenario_of"]
