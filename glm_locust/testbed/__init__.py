"""The embedded system under test: a simulated model or a real engine, a Streamlit page, Jupyter."""

from glm_locust.testbed.child import TestbedError
from glm_locust.testbed.engines import ENGINE_NOTE, ENGINES, Engine, engine_python
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import DEFAULT_PRESET, PRESET_COLUMNS, PRESET_NOTE, PRESETS
from glm_locust.testbed.truth import TruthRecord, read_truth

__all__ = [
    "DEFAULT_PRESET",
    "ENGINES",
    "ENGINE_NOTE",
    "PRESETS",
    "PRESET_COLUMNS",
    "PRESET_NOTE",
    "Engine",
    "Testbed",
    "TestbedError",
    "TruthRecord",
    "engine_python",
    "read_truth",
]
