"""The embedded system under test: a simulated model server, a Streamlit page, a Jupyter proxy."""

from glm_locust.testbed.child import TestbedError
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import PRESET_COLUMNS, PRESET_NOTE, PRESETS
from glm_locust.testbed.truth import TruthRecord, read_truth

__all__ = [
    "PRESETS",
    "PRESET_COLUMNS",
    "PRESET_NOTE",
    "Testbed",
    "TestbedError",
    "TruthRecord",
    "read_truth",
]
