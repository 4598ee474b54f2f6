"""Users who ask an OpenAI-compatible server about images; its answers are streamed.

    locust -f locustfiles/chat_api.py --host http://127.0.0.1:8080 --headless -u 10 -t 60s

Every question and image differs from all others. `--glm-*` options say more: model, key, tasks, ...
The run, with a report, is in runs/.
"""

from locust import between, task

from glm_locust import plugin
from glm_locust.users.api import ApiUser

plugin.install()


class Visitor(ApiUser):
    """Describes pictures most of the time, reads a notice or a chart now and then."""

    wait_time = between(1, 5)

    @task(3)
    def look_at_a_picture(self):
        """What is seen in it?"""
        self.ask("describe")

    @task
    def read_a_notice(self):
        """What does it say?"""
        self.ask("ocr")

    @task
    def continue_a_chart(self):
        """What is the next data point?"""
        self.ask("chart")
