"""StreamlitUser: a Locust user in front of a Streamlit page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from glm_locust.config import PAGE_CHOICES, Secret, WebTarget, page_choices
from glm_locust.errors import ConfigError
from glm_locust.records import PathId
from glm_locust.users.chat import ChatUser
from glm_locust.users.streamlit_client import StreamlitClient


class StreamlitUser(ChatUser):
    """Asks the page of `--glm-web`, or with path `web-jupyter` the one of `--glm-web-jupyter`.

    Without that option it asks the page of `host`. What the attributes say about the page holds
    unless the scenario says it, too; their words are those of the scenario's `[web]` table.
    """

    abstract = True
    path = PathId.WEB
    jupyter_token_env: ClassVar[str | None] = None
    """Name of the environment variable that holds Jupyter's token, on every worker."""
    page: ClassVar[str | None] = None
    """Name or URL path of the page of a multipage app."""
    prompt_widget: ClassVar[Mapping[str, object] | None] = None
    """Which widget takes the prompt: some of `kind`, `label`, `key` and `index`."""
    upload_widget: ClassVar[Mapping[str, object] | None] = None
    """Which widget takes the images, likewise."""
    submit_widget: ClassVar[Mapping[str, object] | None] = None
    """Which button sends, likewise."""
    values: ClassVar[Mapping[str, object] | None] = None
    """Widgets to set before the first question: key or label -> value."""
    answer: ClassVar[Mapping[str, object] | None] = None
    """Which text is the answer: some of `path`, `container`, `index`, `pattern` and `in_expander`."""
    blur_rerun: ClassVar[bool | None] = None
    """Whether the text goes off in a script run of its own before the button is pressed."""
    auto_rerun: ClassVar[bool | None] = None
    """Whether fragments with `run_every` are run again and again."""
    load_assets: ClassVar[bool | None] = None
    """Whether the page's own files and the images of answers are loaded, too."""

    def connect(self) -> StreamlitClient:
        """A browser session of its own."""
        return StreamlitClient(self._target())

    def _target(self) -> WebTarget:
        jupyter = self.path == PathId.WEB_JUPYTER
        target = self.scenario.web_jupyter if jupyter else self.scenario.web
        if target is None:
            if not self.host:
                option = "--glm-web-jupyter" if jupyter else "--glm-web"
                raise ConfigError(
                    f"{type(self).__name__}: expected the page's URL by {option}, --host or host"
                )
            target = WebTarget(self.host, jupyter_token=Secret(env=self.jupyter_token_env))
        return replace(target, **self._own_choices(target))

    def _own_choices(self, target: WebTarget) -> dict[str, Any]:
        """What the attributes say and the target leaves open."""
        said = {name: getattr(self, name) for name in PAGE_CHOICES}
        own = page_choices(said, f"{type(self).__name__}.")
        blank = WebTarget(target.url)
        return {name: value for name, value in own.items() if getattr(target, name) == getattr(blank, name)}
