"""Which field carries a widget's value, by version; the wrong one is no error to a server."""

from typing import Any

import pytest

from glm_locust.errors import ConfigError
from glm_locust.protocols.streamlit.page import Page, parse_version
from glm_locust.protocols.streamlit.schema import decode
from glm_locust.protocols.streamlit.values import chat_state, default_state, value_state
from glm_locust.protocols.streamlit.widgets import Widget
from tests.protocols.streamlit.messages import element


def widget(kind: str, **fields: Any) -> Widget:
    node = Page().place(decode(element("0.0", kind, id="w", **fields)))
    assert node is not None
    return Widget(node)


OPTIONS = ["red", "green", "blue"]
ROWS = [
    ("text_area", {}, "hi", "1.28.2", "string_value", "hi"),
    ("text_input", {}, "hi", "1.67.0", "string_value", "hi"),
    ("checkbox", {}, False, "1.28.2", "bool_value", False),
    ("number_input", {}, 7, "1.28.2", "double_value", 7.0),
    ("slider", {}, 0.5, "1.67.0", "double_array_value", [0.5]),
    ("slider", {}, [0.1, 0.9], "1.67.0", "double_array_value", [0.1, 0.9]),
    ("slider", {"options": OPTIONS}, "green", "1.53.1", "double_array_value", [1.0]),
    ("slider", {"options": OPTIONS}, "green", "1.54.0", "string_array_value", ["green"]),
    ("selectbox", {"options": OPTIONS}, "green", "1.44.1", "int_value", 1),
    ("selectbox", {"options": OPTIONS}, "green", "1.45.0", "string_value", "green"),
    ("radio", {"options": OPTIONS}, "blue", "1.53.1", "int_value", 2),
    ("radio", {"options": OPTIONS}, "blue", "1.54.0", "string_value", "blue"),
    ("multiselect", {"options": OPTIONS}, ["red", "blue"], "1.44.1", "int_array_value", [0, 2]),
    ("multiselect", {"options": OPTIONS}, ["red", "blue"], "1.45.0", "string_array_value", ["red", "blue"]),
    ("multiselect", {"options": OPTIONS}, [], "1.45.0", "string_array_value", []),
]


def read(state: Any) -> tuple[str, Any]:
    name = state.WhichOneof("value")
    value = getattr(state, name)
    return name, list(value.data) if name.endswith("array_value") else value


@pytest.mark.parametrize(("kind", "fields", "value", "version", "name", "sent"), ROWS)
def test_values_by_version(kind: str, fields: Any, value: Any, version: str, name: str, sent: Any) -> None:
    state = value_state(widget(kind, **fields), value, parse_version(version))
    assert read(state) == (name, sent)


@pytest.mark.parametrize(
    ("kind", "fields", "value", "says"),
    [
        ("selectbox", {"options": OPTIONS}, "pink", "has no option 'pink'; it has 'red', 'green', 'blue'"),
        ("number_input", {}, "seven", "expected a number, got 'seven'"),
        ("slider", {}, ["low"], "expected a number, got 'low'"),
        ("button", {}, True, "a button widget takes no value"),
    ],
)
def test_values_that_do_not_fit(kind: str, fields: Any, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        value_state(widget(kind, **fields), value, (1, 67, 0))


@pytest.mark.parametrize(
    ("version", "name"),
    [("1.28.2", "string_trigger_value"), ("1.42.2", "string_trigger_value"), ("1.43.0", "chat_input_value")],
)
def test_what_a_chat_input_sends(version: str, name: str) -> None:
    state = chat_state(widget("chat_input"), "hello", [], parse_version(version))
    assert state.WhichOneof("value") == name
    assert getattr(state, name).data == "hello"


@pytest.mark.parametrize(
    ("kind", "fields", "name", "sent"),
    [
        ("text_area", {"default": "Describe"}, "string_value", "Describe"),
        ("checkbox", {"default": True}, "bool_value", True),
        ("slider", {"default": [0.3]}, "double_array_value", [0.3]),
        ("number_input", {"default": 5.0}, "double_value", 5.0),
        ("selectbox", {"options": OPTIONS, "default": 2}, "string_value", "blue"),
    ],
)
def test_defaults_of_a_form_that_clears_itself(kind: str, fields: Any, name: str, sent: Any) -> None:
    state = default_state(widget(kind, **fields), (1, 67, 0))
    assert state is not None
    assert read(state) == (name, sent)


def test_a_widget_without_default_has_none() -> None:
    assert default_state(widget("selectbox", options=OPTIONS), (1, 67, 0)) is None
    assert default_state(widget("button"), (1, 67, 0)) is None
    uploader = default_state(widget("file_uploader"), (1, 67, 0))
    assert uploader is not None
    assert not uploader.file_uploader_state_value.uploaded_file_info
