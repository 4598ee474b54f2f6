"""What a simulated user has put into the page: it travels whole with every interaction."""

from collections.abc import Iterable, Sequence

from glm_locust.protocols.streamlit.page import Page
from glm_locust.protocols.streamlit.schema import Wire
from glm_locust.protocols.streamlit.values import (
    UploadedFile,
    WidgetValue,
    default_state,
    files_state,
    rerun,
    value_state,
)
from glm_locust.protocols.streamlit.widgets import Widget, widgets_of


class Inputs:
    """The values of the widgets that the user has touched; all others keep the app's defaults."""

    def __init__(self, page: Page, url: str) -> None:
        self._page = page
        self._url = url
        self._states: dict[str, Wire] = {}

    def set(self, widget: Widget, value: WidgetValue) -> None:
        """Give a widget a value; raises ConfigError where it does not fit."""
        self._states[widget.id] = value_state(widget, value, self._page.version)

    def attach(self, uploads: Sequence[Widget], files: Sequence[UploadedFile]) -> None:
        """Put all files into the one uploader, or one into each."""
        if len(uploads) == 1:
            self._states[uploads[0].id] = files_state(uploads[0], files)
            return
        for widget, file in zip(uploads, files, strict=True):
            self._states[widget.id] = files_state(widget, [file])

    def detach_files(self) -> None:
        """Empty all uploaders: a question without images is not asked beside those of the last one."""
        for widget in widgets_of(self._page):
            state = self._states.get(widget.id)
            if state is not None and state.WhichOneof("value") == "file_uploader_state_value":
                self._states[widget.id] = files_state(widget, ())

    def forget(self, widget_id: str) -> None:
        """The app has set the widget itself."""
        self._states.pop(widget_id, None)

    def forget_all(self) -> None:
        """The server knows nothing of us any more."""
        self._states.clear()

    def forget_gone(self) -> None:
        """Drop the values of widgets that are not on the page."""
        present = {widget.id for widget in widgets_of(self._page)}
        self._states = {id_: state for id_, state in self._states.items() if id_ in present}

    def form_submitted(self, form_id: str) -> None:
        """A form was sent; one that clears itself is back at its defaults.

        The browser does that: a server keeps every value that it is not told to change.
        """
        forms = (node.content for node in self._page if node.is_block and node.kind == "form")
        if not any(form.form_id == form_id and form.clear_on_submit for form in forms):
            return
        for widget in widgets_of(self._page):
            if widget.form_id == form_id and widget.id in self._states:
                default = default_state(widget, self._page.version)
                if default is None:
                    self.forget(widget.id)
                else:
                    self._states[widget.id] = default

    def rerun(self, triggers: Iterable[Wire] = (), *, fragment_id: str = "", script_hash: str = "") -> bytes:
        """The message that runs the script with all these values."""
        states = [*self._states.values(), *triggers]
        return rerun(self._page, self._url, states, fragment_id=fragment_id, script_hash=script_hash)
