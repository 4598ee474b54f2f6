"""Reads what a user says about a Streamlit page: the same words in a TOML table and on a user class."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glm_locust.config.settings import Settings
from glm_locust.config.targets import AnswerChoice, WidgetChoice, WidgetSetting, WidgetValue

PAGE_CHOICES = (
    "page",
    "prompt_widget",
    "upload_widget",
    "submit_widget",
    "values",
    "answer",
    "blur_rerun",
    "auto_rerun",
    "load_assets",
)
"""The keys; each is a field of WebTarget."""
_SETTING = ("kind", "label", "key", "index", "value", "value_env", "value_file")
_VALUE = "a text, a number, true, false, a list of these, or a table with `value`"


def page_choices(values: Mapping[str, object], where: str) -> dict[str, Any]:
    """Fields of a WebTarget from such words; `where` stands in front of their names in a ConfigError."""
    settings = Settings(values, lambda key: f"{where}{key}")
    found = read_page_choices(settings)
    settings.close()
    return {name: value for name, value in found.items() if value is not None}


def read_page_choices(table: Settings) -> dict[str, Any]:
    """Fields of a WebTarget by these keys, None for a key that is not there."""
    return {
        "page": table.text("page"),
        "prompt_widget": _widget(table, "prompt_widget"),
        "upload_widget": _widget(table, "upload_widget"),
        "submit_widget": _widget(table, "submit_widget"),
        "values": _values(table, "values"),
        "answer": _answer(table, "answer"),
        "blur_rerun": table.flag("blur_rerun"),
        "auto_rerun": table.flag("auto_rerun"),
        "load_assets": table.flag("load_assets"),
    }


def _widget(table: Settings, key: str) -> WidgetChoice | None:
    inner = table.table(key)
    if inner is None:
        return None
    choice = _choice(inner)
    inner.close()
    return choice


def _choice(table: Settings) -> WidgetChoice:
    return WidgetChoice(
        table.text("kind"), table.text("label"), table.text("key"), table.whole("index", 0) or 0
    )


def _values(table: Settings, key: str) -> tuple[WidgetSetting, ...] | None:
    named = table.mapping(key)
    inner = table.table(key)
    if named is None or inner is None:
        return None
    return tuple(_setting(table, key, name, value, inner) for name, value in named.items())


def _setting(table: Settings, key: str, name: str, given: object, inner: Settings) -> WidgetSetting:
    """`name = value`, or a table that says which widget and what value or where a secret one is found."""
    if not isinstance(given, Mapping):
        return WidgetSetting(WidgetChoice(name=name), _value(table, key, name, given))
    told = inner.table(name.replace("-", "_"))
    assert told is not None
    unknown = [word for word in given if word not in _SETTING]
    if unknown:
        told.fail(unknown[0], f"only {', '.join(_SETTING)}", show=False)
    secret = told.secret("value")
    if (secret is None) == ("value" not in given):
        told.fail("value", "just one of value, value_env and value_file", show=False)
    choice = _choice(told)
    if choice.kind is None and choice.label is None and choice.key is None:
        choice = replace(choice, name=name)
    return WidgetSetting(choice, secret or _value(table, key, name, given["value"]))


def _value(table: Settings, key: str, name: str, given: object) -> WidgetValue:
    if isinstance(given, str | bool | int | float):
        return given
    if not isinstance(given, list | tuple) or not all(
        isinstance(item, str | int | float) and not isinstance(item, bool) for item in given
    ):
        table.fail(key, f"{_VALUE} for {name!r}", show=False)
    return tuple(given)


def _answer(table: Settings, key: str) -> AnswerChoice | None:
    inner = table.table(key)
    if inner is None:
        return None
    path, pattern = inner.text("path"), inner.text("pattern")
    if path is not None and not re.fullmatch(r"\d+(\.\d+)*", path):
        inner.fail("path", "numbers with dots between them, like 0.3.1")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            inner.fail("pattern", f"a regular expression ({error})")
    choice = AnswerChoice(
        path, inner.text("container"), inner.whole("index", 0), pattern, bool(inner.flag("in_expander"))
    )
    if choice.index is not None and choice.container is None:
        inner.fail("index", "container to be given as well", show=False)
    inner.close()
    return choice
