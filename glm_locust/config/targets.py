"""Where the two paths lead and how to speak there; secrets are named, never held."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from glm_locust.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Secret:
    """Names the environment variable or the file that holds a secret; at most one of the two."""

    env: str | None = None
    file: str | None = None

    def read(self, what: str) -> str | None:
        """The secret, or None where none is named; `what` is its name in the ConfigError."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise ConfigError(f"{what}: environment variable {self.env} is not set or empty")
            return value.strip()
        if self.file is not None:
            try:
                return Path(self.file).expanduser().read_text().strip()
            except OSError as error:
                raise ConfigError(f"{what}: cannot read file {self.file}: {error.strerror}") from None
        return None


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a request may take, in seconds, before it counts as failed."""

    connect_s: float = 10.0
    script_start_s: float = 60.0
    """Page: from a message that makes the script run to its start: `timeout_first_output`."""
    first_output_s: float = 120.0
    """From submission to the first text: `timeout_first_output`."""
    stall_s: float = 60.0
    """Between two texts, and from the last text to the end: `timeout_stall`."""
    total_s: float = 300.0
    """From submission to the end: `timeout_total`."""


@dataclass(frozen=True, slots=True)
class ApiTarget:
    """An OpenAI-compatible server."""

    url: str
    """Base URL, with or without `/v1`."""
    model: str | None = None
    """None: the first of `/v1/models`, or no `model` field at all where that lists nothing."""
    api_key: Secret = Secret()
    headers: dict[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    ca: str | None = None
    """PEM file of certificate authorities to trust in place of the system's."""
    http_client: str = "gevent"
    """`gevent`: our measuring transport, which goes to the server directly whatever HTTP(S)_PROXY says.
    `httpx`: stock httpx, which honours them and speaks HTTP/2, without kernel stamps."""
    think_tags: bool = True
    """A leading `<think>...</think>` in the content is reasoning."""
    extra_body: dict[str, object] = field(default_factory=dict)
    """Further fields of the request body."""
    deadlines: Deadlines = Deadlines()
    simulated: str | None = None
    """Preset of the simulated model that answers there; found out, never configured."""


@dataclass(frozen=True, slots=True)
class WidgetChoice:
    """Which widget to use where a page has several: all that is given must match."""

    kind: str | None = None
    label: str | None = None
    key: str | None = None
    index: int = 0
    name: str | None = None
    """Its key or its label."""


WidgetValue = str | bool | int | float | tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class WidgetSetting:
    """A widget to set once the page is open: options by their texts, dates as `2026-01-31`.

    A button is set to true: it is pressed.
    """

    widget: WidgetChoice
    value: WidgetValue | Secret


@dataclass(frozen=True, slots=True)
class AnswerChoice:
    """Which text is the answer where the rule finds another: all that is given must match."""

    path: str | None = None
    """Where the page has it, as error messages show it: `0.3` is all that stands in or under 0, 3."""
    container: str | None = None
    """Label, title, key or kind of a block around it: `Answer`, `column`, `chat_message`, `tab`."""
    index: int | None = None
    """Which of several such containers, from 0 in the order of the page."""
    pattern: str | None = None
    """Regular expression that the text matches; its first group, where it has one, is the answer."""
    in_expander: bool = False
    """Expanders, `st.status`, popovers and dialogs may hold it, too."""


@dataclass(frozen=True, slots=True)
class WebTarget:
    """A Streamlit page, reached directly, under a base path, or through a Jupyter proxy."""

    url: str
    """URL of the page as a browser shows it, without `/_stcore`."""
    jupyter_token: Secret = Secret()
    """Sent as `Authorization: token ...` on every HTTP request and the websocket handshake."""
    cookies: dict[str, Secret] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    ca: str | None = None
    page: str | None = None
    """Name or URL path of the page of a multipage app."""
    prompt_widget: WidgetChoice = WidgetChoice()
    upload_widget: WidgetChoice = WidgetChoice()
    submit_widget: WidgetChoice = WidgetChoice()
    values: tuple[WidgetSetting, ...] = ()
    """Set one after the other, as a person would; all other widgets keep the app's defaults."""
    answer: AnswerChoice = AnswerChoice()
    blur_rerun: bool = False
    """The text goes off in a script run of its own before the button is pressed, as when a person
    leaves the field; only outside forms."""
    auto_rerun: bool = False
    """Fragments with `run_every` are run again and again, as a browser does."""
    load_assets: bool = False
    """Load the page's own files and the images of answers, too; timed apart from requests."""
    deadlines: Deadlines = Deadlines()
    simulated: str | None = None
    """Preset of the simulated model that answers there; found out, never configured."""
