"""ApiUser: a Locust user of an OpenAI-compatible server."""

from typing import ClassVar
from weakref import WeakKeyDictionary

from glm_locust.config import ApiTarget, Secret
from glm_locust.delivery import Recorder
from glm_locust.errors import ConfigError
from glm_locust.records import PathId
from glm_locust.users.api_client import ApiClient
from glm_locust.users.api_server import ApiServer
from glm_locust.users.chat import ChatUser


class ApiUser(ChatUser):
    """Asks the server of `--glm-api`; without that option, the one of `host` and the attributes here."""

    abstract = True
    path = PathId.API
    model: ClassVar[str | None] = None
    max_tokens: ClassVar[int | None] = None
    api_key_env: ClassVar[str | None] = None
    """Name of the environment variable that holds the key, on every worker."""

    def connect(self) -> ApiClient:
        """A client of the server that all users of this class share."""
        servers = _SERVERS.setdefault(self.recorder, {})
        if type(self) not in servers:
            servers[type(self)] = ApiServer(self._target())
        server = servers[type(self)]
        return ApiClient(server.target, server=server)

    def _target(self) -> ApiTarget:
        if (target := self.scenario.api) is not None:
            return target
        if not self.host:
            raise ConfigError(
                f"{type(self).__name__}: expected the server's URL by --glm-api, --host or host"
            )
        return ApiTarget(
            self.host, model=self.model, max_tokens=self.max_tokens, api_key=Secret(env=self.api_key_env)
        )


_SERVERS: "WeakKeyDictionary[Recorder, dict[type[ApiUser], ApiServer]]" = WeakKeyDictionary()
"""Per run and class of users: the server is checked once and asked for its model once."""
