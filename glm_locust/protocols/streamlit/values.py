"""What goes from the browser to the server: widget values by version, reruns, requests for upload URLs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glm_locust.errors import ConfigError
from glm_locust.protocols.streamlit.page import Page, Version
from glm_locust.protocols.streamlit.schema import BackMsg, FileUploaderState, WidgetState, Wire
from glm_locust.protocols.streamlit.widgets import Widget

CHAT_VALUE_SINCE: Version = (1, 43)
"""From here on a chat input's value is a message of text and files, before it a plain string."""

VALUE_FIELDS: dict[str, tuple[tuple[Version, str], ...]] = {
    "text_area": (((0,), "string_value"),),
    "text_input": (((0,), "string_value"),),
    "checkbox": (((0,), "bool_value"),),
    "number_input": (((0,), "double_value"),),
    "slider": (((0,), "double_array_value"),),
    "select_slider": (((0,), "double_array_value"), ((1, 54), "string_array_value")),
    "selectbox": (((0,), "int_value"), ((1, 45), "string_value")),
    "radio": (((0,), "int_value"), ((1, 54), "string_value")),
    "multiselect": (((0,), "int_array_value"), ((1, 45), "string_array_value")),
    "button_group": (((0,), "int_array_value"), ((1, 55), "string_array_value")),
    "time_input": (((0,), "string_value"),),
    "date_input": (((0,), "string_array_value"),),
    "color_picker": (((0,), "string_value"),),
}
"""Kind of widget -> which field of a widget state carries its value, from which version on.

The wrong field is no error to a server: the app silently computes with another value.
"""

WidgetValue = str | bool | float | Sequence[str | float]


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that the server has taken, as a widget's value refers to it."""

    name: str
    size: int
    urls: Wire


def value_field(kind: str, version: Version) -> str:
    """The field that carries the value of such a widget; raises ConfigError for kinds without values."""
    rows = VALUE_FIELDS.get(kind)
    if rows is None:
        raise ConfigError(f"a {kind} widget takes no value; expected one of {', '.join(VALUE_FIELDS)}")
    newest = rows[-1][1]  # for a server that did not say its version in numbers
    return next((field for since, field in reversed(rows) if version >= since), newest)


def value_state(widget: Widget, value: WidgetValue, version: Version) -> Wire:
    """The state of a widget set to a value; options are given as their texts.

    Raises ConfigError where the value does not fit the widget.
    """
    options = _options(widget)
    kind = "select_slider" if widget.kind == "slider" and options else widget.kind
    field = value_field(kind, version)
    state = WidgetState(id=widget.id)
    given = [value] if isinstance(value, str | bool | int | float) else list(value)
    values: list[object] = list(given)
    if options:
        texts = [_option(widget, options, item) for item in given]
        in_numbers = field.startswith(("int", "double"))
        values = [options.index(text) if in_numbers else text for text in texts]
    elif kind == "date_input":
        # The browser's form of a date; a person writes the one of ISO 8601.
        values = [str(item).replace("-", "/") for item in given]
    elif field in ("double_value", "double_array_value"):
        values = [_number(widget, item) for item in given]
    elif field == "bool_value" and not all(isinstance(item, bool) for item in given):
        raise ConfigError(f"{widget}: expected true or false, got {value!r}")
    elif field == "string_value":
        values = [str(item) for item in given]
    try:
        if field.endswith("_array_value"):
            getattr(state, field).SetInParent()
            getattr(state, field).data.extend(values)
        else:
            setattr(state, field, values[0])
    except (TypeError, IndexError):
        raise ConfigError(f"{widget}: {value!r} is not a value for it") from None
    return state


def default_state(widget: Widget, version: Version) -> Wire | None:
    """The state of a widget set back to what the app gave it; None where that is no value at all."""
    if widget.takes_files:
        return files_state(widget, ())
    content = widget.node.content
    if not hasattr(content, "default"):
        return None
    default = content.default
    optional = any(field.name == "default" and field.has_presence for field in content.DESCRIPTOR.fields)
    if optional and not content.HasField("default"):
        return None
    given = [default] if isinstance(default, str | bool | int | float) else list(default)
    options = _options(widget)
    if options:
        # What no option has may be any number, not-a-number included.
        numbers = (item for item in given if not isinstance(item, str) and 0 <= item < len(options))
        given = [options[int(number)] for number in numbers]
    try:
        return value_state(widget, given, version) if given else None
    except ConfigError:
        return None  # the server's own default does not fit its widget


def trigger_state(widget: Widget) -> Wire:
    """The state of a button that has just been pressed."""
    return WidgetState(id=widget.id, trigger_value=True)


def files_state(widget: Widget, files: Iterable[UploadedFile]) -> Wire:
    """The state of an uploader that holds these files."""
    state = WidgetState(id=widget.id)
    state.file_uploader_state_value.CopyFrom(_uploader_state(files))
    return state


def chat_state(widget: Widget, text: str, files: Sequence[UploadedFile], version: Version) -> Wire:
    """The state of a chat input whose text (and files) have just been sent."""
    state = WidgetState(id=widget.id)
    if version < CHAT_VALUE_SINCE:
        state.string_trigger_value.data = text
        return state
    state.chat_input_value.data = text
    if widget.takes_files:
        state.chat_input_value.file_uploader_state.CopyFrom(_uploader_state(files))
    return state


def rerun(
    page: Page,
    url: str,
    states: Iterable[Wire],
    *,
    fragment_id: str = "",
    script_hash: str = "",
    is_auto_rerun: bool = False,
) -> bytes:
    """The message that makes the script run with these widget states.

    They replace all that the server knows: a value that is not sent again is lost.
    """
    message = BackMsg()
    client = message.rerun_script
    client.widget_states.widgets.extend(states)
    client.page_script_hash = script_hash or page.script_hash
    if fragment_id:
        client.fragment_id = fragment_id
        client.is_auto_rerun = is_auto_rerun
    context = client.context_info
    context.timezone = "UTC"
    context.timezone_offset = 0
    context.locale = "en-US"
    context.url = url
    context.is_embedded = False
    return bytes(message.SerializeToString())


def file_urls_request(page: Page, request_id: str, names: Iterable[str]) -> bytes:
    """The message that asks where to upload files of these names."""
    message = BackMsg()
    request = message.file_urls_request
    request.request_id = request_id
    request.file_names.extend(names)
    request.session_id = page.session_id
    return bytes(message.SerializeToString())


def _uploader_state(files: Iterable[UploadedFile]) -> Wire:
    state = FileUploaderState()
    for file in files:
        info = state.uploaded_file_info.add(name=file.name, size=file.size, file_id=file.urls.file_id)
        info.file_urls.CopyFrom(file.urls)
    return state


def _number(widget: Widget, item: object) -> float:
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise ConfigError(f"{widget}: expected a number, got {item!r}")
    return item


def _options(widget: Widget) -> list[str]:
    options = getattr(widget.node.content, "options", ())
    return [getattr(option, "content", option) for option in options]


def _option(widget: Widget, options: list[str], wanted: object) -> str:
    text = str(wanted)
    if text in options:
        return text
    raise ConfigError(f"{widget} has no option {wanted!r}; it has {', '.join(map(repr, options[:20]))}")
