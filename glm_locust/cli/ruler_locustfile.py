"""What `glm-locust doctor --ruler` has Locust run: users who ask short questions without a pause."""

from locust import constant

from glm_locust import plugin
from glm_locust.users.api import ApiUser
from glm_locust.workload.prompt import Prompt

plugin.install()


class RulerUser(ApiUser):
    """Asks in words only: how long images take to be sent is no question of the ruler."""

    wait_time = constant(0)

    def make_prompt(self, task: str, index: int) -> Prompt:
        """A question different from all others."""
        return Prompt(task, f"Say the word number {index}.")
