"""What the published comparison claims; figures to test a run against, never results of ours.

GLM-4.6V-Flash-WEB on one RTX 3090, 10 runs per task, images of 512x512, prompts of 20-40 tokens. The
page was a Streamlit demo inside Jupyter Lab.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClaimedTimes:
    """One row of the published table, in seconds."""

    web_ttft_s: float
    api_ttft_s: float
    web_total_s: float
    api_total_s: float


CLAIMED_TIMES: dict[str, ClaimedTimes] = {
    "describe": ClaimedTimes(1.82, 1.15, 3.41, 2.67),
    "ocr": ClaimedTimes(1.79, 1.12, 3.28, 2.53),
    "chart": ClaimedTimes(2.01, 1.28, 4.15, 3.32),
    "compare": ClaimedTimes(2.33, 1.45, 5.02, 4.11),
    "reason": ClaimedTimes(2.56, 1.63, 6.18, 5.04),
}
"""By task id."""

CLAIMED_RUNS_PER_TASK = 10

SIMPLE_TASKS = ("describe", "ocr")
COMPLEX_TASKS = ("compare", "reason")
"""Between these two groups the gap is claimed to grow."""

CLAIMED_STREAMLIT_S = 0.3
CLAIMED_JUPYTER_S = 0.2
CLAIMED_BROWSER_S = (0.1, 0.3)
CLAIMED_BASE64_EXTRA = 0.33
"""Share by which base64 makes an image larger on the wire."""

CLAIMED_GPU_MEMORY_GB = {"web": 18.7, "api": 18.5}
CLAIMED_GPU_UTILISATION_PERCENT = {"web": (89, 94), "api": (92, 96)}
CLAIMED_CPU_PERCENT = {"web": 68, "api": 45}
CLAIMED_RAM_GB = {"web": 12.3, "api": 10.8}

TOLERANCE = 0.20
"""A claimed figure counts as supported up to this share away from what was measured."""
