"""What a simulated user has put into the page: it travels whole with every interaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glm_locust.errors import ConfigError
from glm_locust.protocols.streamlit.page import Page
from glm_locust.protocols.streamlit.schema import Wire
from glm_locust.protocols.streamlit.values import (
    UploadedFile,
    WidgetValue,
    default_state,
    files_state,
    rerun,
    trigger_state,
    value_state,
)
from glm_locust.protocols.streamlit.widgets import (
    BUTTON_KIND,
    PageError,
    Widget,
    WidgetQuery,
    listed,
    matching,
    widgets_of,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A widget that the user sets before asking; a button is set to True: it is pressed."""

    widget: WidgetQuery
    value: WidgetValue


@dataclass(frozen=True, slots=True)
class Touched:
    """A widget that has just been set; the triggers belong into the next message only."""

    widget: Widget
    triggers: tuple[Wire, ...] = ()


class Inputs:
    """The values of the widgets that the user has touched; all others keep the app's defaults."""

    def __init__(self, page: Page, url: str, settings: Sequence[Setting] = ()) -> None:
        self._page = page
        self._url = url
        self._settings = tuple(settings)
        self._waiting = list(self._settings)
        self._states: dict[str, Wire] = {}

    def begin(self) -> None:
        """The page is loaded anew: nothing has been set on it yet."""
        self._waiting = list(self._settings)

    def set_next(self) -> Touched | None:
        """Set the next widget that is to be set and is there; raises PageError for a wrong value."""
        widgets = widgets_of(self._page)
        for setting in self._waiting:
            widget = matching(widgets, setting.widget)
            if widget is None or widget.disabled:
                continue
            self._waiting.remove(setting)
            if widget.kind == BUTTON_KIND:
                return Touched(widget, (trigger_state(widget),))
            self.set(widget, setting.value)
            return Touched(widget)
        return None

    def press_again(self) -> Touched | None:
        """The first button among the settings that is there: it may open what the question needs."""
        widgets = widgets_of(self._page)
        found = (matching(widgets, setting.widget) for setting in self._settings)
        button = next((w for w in found if w is not None and w.kind == BUTTON_KIND and not w.disabled), None)
        return None if button is None else Touched(button, (trigger_state(button),))

    def set_all(self, *, strict: bool) -> None:
        """Set what the app has changed back since, or shows only now.

        Raises PageError for a wrong value and, if `strict`, for a widget that is not there.
        """
        widgets = widgets_of(self._page)
        for setting in self._settings:
            widget = matching(widgets, setting.widget)
            if widget is not None and widget.kind != BUTTON_KIND:
                self.set(widget, setting.value)
                if setting in self._waiting:
                    self._waiting.remove(setting)
            elif widget is None and setting in self._waiting and strict:
                raise PageError(f"no widget to set matches {setting.widget}; widgets: {listed(widgets)}")

    def set(self, widget: Widget, value: WidgetValue) -> None:
        """Give a widget a value; raises PageError where it does not fit the widget as it is now."""
        try:
            self._states[widget.id] = value_state(widget, value, self._page.version)
        except ConfigError as error:
            raise PageError(str(error)) from None

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

    def rerun(
        self,
        triggers: Iterable[Wire] = (),
        *,
        fragment_id: str = "",
        script_hash: str = "",
        is_auto_rerun: bool = False,
    ) -> bytes:
        """The message that runs the script with all these values."""
        return rerun(
            self._page,
            self._url,
            [*self._states.values(), *triggers],
            fragment_id=fragment_id,
            script_hash=script_hash,
            is_auto_rerun=is_auto_rerun,
        )
