"""Users whose path and tasks try to be markup, and a login for the tests of it."""

from typing import Any

from flask_login import UserMixin, login_user
from locust import events
from locust.env import Environment

from tests.dashboard.hostile import PATH, TASKS
from tests.plugin import locustfile as marker


class Stranger(marker.MarkerUser):
    path = PATH
    asks = TASKS


class Person(UserMixin):
    id = "ada"


@events.init.add_listener
def add_login(environment: Environment, **_: Any) -> None:
    web_ui = environment.web_ui
    if web_ui is None or not web_ui.web_login:
        return
    assert web_ui.app is not None
    web_ui.app.secret_key = "of this test only"
    web_ui.login_manager.user_loader(lambda _: Person())

    @web_ui.app.route("/enter")
    def enter() -> str:
        login_user(Person())
        return "welcome"
