"""StreamlitUser: a Locust user in front of a Streamlit page."""

from typing import ClassVar

from glm_locust.config import Secret, WebTarget
from glm_locust.errors import ConfigError
from glm_locust.records import PathId
from glm_locust.users.chat import ChatUser
from glm_locust.users.streamlit_client import StreamlitClient


class StreamlitUser(ChatUser):
    """Asks the page of `--glm-web`, or with path `web-jupyter` the one of `--glm-web-jupyter`.

    Without that option it asks the page of `host` and the attributes here.
    """

    abstract = True
    path = PathId.WEB
    jupyter_token_env: ClassVar[str | None] = None
    """Name of the environment variable that holds Jupyter's token, on every worker."""

    def connect(self) -> StreamlitClient:
        """A browser session of its own."""
        return StreamlitClient(self._target())

    def _target(self) -> WebTarget:
        jupyter = self.path == PathId.WEB_JUPYTER
        target = self.scenario.web_jupyter if jupyter else self.scenario.web
        if target is not None:
            return target
        if not self.host:
            option = "--glm-web-jupyter" if jupyter else "--glm-web"
            raise ConfigError(f"{type(self).__name__}: expected the page's URL by {option}, --host or host")
        return WebTarget(self.host, jupyter_token=Secret(env=self.jupyter_token_env))
