"""What a user may say about a page, in a table or on a class, and what is refused."""

from typing import Any

import pytest

from glm_locust.config import (
    AnswerChoice,
    Scenario,
    Secret,
    WebTarget,
    WidgetChoice,
    WidgetSetting,
    load_scenario,
    page_choices,
)
from glm_locust.errors import ConfigError

NAMED = WidgetChoice(name="Top-K")


@pytest.mark.parametrize(
    ("said", "field", "meant"),
    [
        ({"page": "Chat"}, "page", "Chat"),
        ({"prompt_widget": {"label": "Question"}}, "prompt_widget", WidgetChoice(label="Question")),
        ({"submit_widget": {"kind": "button", "index": 2}}, "submit_widget", WidgetChoice("button", index=2)),
        ({"values": {"Top-K": 3}}, "values", (WidgetSetting(NAMED, 3),)),
        ({"values": {"Top-K": ["a", 2]}}, "values", (WidgetSetting(NAMED, ("a", 2)),)),
        (
            {"values": {"Top-K": {"index": 1, "value": 0.5}}},
            "values",
            (WidgetSetting(WidgetChoice(name="Top-K", index=1), 0.5),),
        ),
        (
            {"values": {"any": {"kind": "slider", "value": 0.5}}},
            "values",
            (WidgetSetting(WidgetChoice("slider"), 0.5),),
        ),
        ({"values": {"Top-K": {"value_env": "KEY"}}}, "values", (WidgetSetting(NAMED, Secret(env="KEY")),)),
        (
            {"answer": {"container": "column", "index": 1}},
            "answer",
            AnswerChoice(container="column", index=1),
        ),
        ({"answer": {"path": "0.3", "in_expander": True}}, "answer", AnswerChoice("0.3", in_expander=True)),
        ({"answer": {"pattern": "A: (.*)"}}, "answer", AnswerChoice(pattern="A: (.*)")),
        ({"blur_rerun": True}, "blur_rerun", True),
        ({"auto_rerun": True}, "auto_rerun", True),
        ({"load_assets": True}, "load_assets", True),
    ],
)
def test_what_is_said_is_what_is_meant(said: dict[str, object], field: str, meant: Any) -> None:
    target = WebTarget("http://page", **page_choices(said, ""))
    assert getattr(target, field) == meant
    scenario = Scenario(web=target)
    assert Scenario.from_message(scenario.to_message()).web == target


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"pag": "x"}, "Visitor.pag: unknown key, did you mean page?"),
        ({"values": [1]}, "Visitor.values: expected a table"),
        ({"values": {"a": None}}, "Visitor.values: expected a text, a number, .* for 'a'"),
        ({"values": {"a": [True]}}, "Visitor.values: expected a text, a number, .* for 'a'"),
        ({"values": {"a": {"valeu": 1}}}, "Visitor.values.a.valeu: expected only kind, label, key"),
        ({"values": {"a": {"kind": "slider"}}}, "expected just one of value, value_env and value_file"),
        ({"values": {"a": {"value": 1, "value_env": "X"}}}, "expected just one of value, value_env and"),
        ({"answer": {"path": "0,3"}}, "Visitor.answer.path: expected numbers with dots between them"),
        ({"answer": {"pattern": "("}}, "Visitor.answer.pattern: expected a regular expression"),
        ({"answer": {"index": 1}}, "Visitor.answer.index: expected container to be given as well"),
        ({"blur_rerun": "yes"}, "Visitor.blur_rerun: expected true or false"),
    ],
)
def test_what_cannot_be_meant_is_named(said: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        page_choices(said, "Visitor.")


def test_in_a_scenario(tmp_path: Any) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        '[web]\nurl = "http://host:8501"\nvalues = {Model = "large", "Top-K" = 3}\nanswer = {path = "0.3"}\n'
    )
    web = load_scenario(path).web
    assert web is not None
    assert web.values == (WidgetSetting(WidgetChoice(name="Model"), "large"), WidgetSetting(NAMED, 3))
    assert web.answer.path == "0.3"
    path.write_text('[web]\nurl = "http://host:8501"\nanswer = {pth = "0.3"}\n')
    with pytest.raises(
        ConfigError, match=r"scenario\.toml: web\.answer\.pth: unknown key, did you mean path"
    ):
        load_scenario(path)


def test_the_run_s_header_tells_it_without_secrets() -> None:
    said = page_choices({"values": {"Key": {"value_env": "KEY"}}, "page": "Chat"}, "")
    told = Scenario(web=WebTarget("http://page", **said)).to_targets_dict()["web"]
    assert told["page"] == "Chat"
    assert told["values"][0]["value"] == {"env": "KEY", "file": None}
    assert "answer" not in told
