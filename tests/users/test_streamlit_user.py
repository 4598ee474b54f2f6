"""What a user class says about its page, beside what the scenario says."""

from dataclasses import replace
from typing import ClassVar

import pytest

from glm_locust.config import AnswerChoice, WebTarget, WidgetChoice, WidgetSetting
from glm_locust.errors import ConfigError
from glm_locust.users.streamlit import StreamlitUser


class Visitor(StreamlitUser):
    page = "Chat"
    values: ClassVar = {"Model": "large"}
    answer: ClassVar = {"path": "0.3"}
    auto_rerun = True


class Confused(StreamlitUser):
    answer: ClassVar = {"pth": "0.3"}


def told(kind: type[StreamlitUser], target: WebTarget) -> WebTarget:
    user = kind.__new__(kind)  # without Locust around it
    return replace(target, **user._own_choices(target))


def test_the_class_fills_in_what_the_scenario_leaves_open() -> None:
    target = told(Visitor, WebTarget("http://page"))
    assert target.page == "Chat"
    assert target.values == (WidgetSetting(WidgetChoice(name="Model"), "large"),)
    assert target.answer == AnswerChoice(path="0.3")
    assert (target.auto_rerun, target.blur_rerun) == (True, False)


def test_the_scenario_holds() -> None:
    said = WebTarget("http://page", page="Other", answer=AnswerChoice(container="tab"))
    target = told(Visitor, said)
    assert (target.page, target.answer) == ("Other", said.answer)
    assert target.values == (WidgetSetting(WidgetChoice(name="Model"), "large"),)


def test_a_mistake_names_the_class() -> None:
    with pytest.raises(ConfigError, match=r"Confused\.answer\.pth: unknown key, did you mean path"):
        told(Confused, WebTarget("http://page"))
