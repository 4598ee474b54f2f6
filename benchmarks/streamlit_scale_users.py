"""The locustfile of `streamlit_scale.py`: people at a chat page, thinking as long as they are told to."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from locust import between

from glm_locust import plugin
from glm_locust.users.streamlit import StreamlitUser
from glm_locust.workload.prompt import Prompt

plugin.install()


class Person(StreamlitUser):
    wait_time = between(float(os.environ["THINK_MIN_S"]), float(os.environ["THINK_MAX_S"]))
    asks = ("chat",)

    def make_prompt(self, task: str, index: int) -> Prompt:
        return Prompt(task, f"Question {index}: what does one see from the tower when it rains?")
