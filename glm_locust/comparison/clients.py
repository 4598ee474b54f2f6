"""Clients for the targets of a scenario."""

from glm_locust.config import ApiTarget, Scenario
from glm_locust.errors import ConfigError
from glm_locust.users.api_client import ApiClient
from glm_locust.users.api_server import ApiServer
from glm_locust.users.chat import Client
from glm_locust.users.streamlit_client import StreamlitClient


class Clients:
    """Makes the clients of one process in one run; what they can share, they share."""

    def __init__(self, scenario: Scenario) -> None:
        self._targets = scenario.targets
        self._servers: dict[str, ApiServer] = {}

    def connect(self, path: str) -> ApiClient | StreamlitClient:
        """A new client for one user; raises ConfigError for what the target lacks."""
        target = self._targets.get(path)
        if target is None:
            raise ConfigError(f"no target is named for the path {path}")
        if not isinstance(target, ApiTarget):
            return StreamlitClient(target)
        return ApiClient(target, server=self.server(path, target))

    def server(self, path: str, target: ApiTarget) -> ApiServer:
        """What all API clients of this path share."""
        if path not in self._servers:
            self._servers[path] = ApiServer(target)
        return self._servers[path]


def open_client(client: Client) -> None:
    """Do what would otherwise be part of the first request; raises GlmLocustError."""
    if isinstance(client, StreamlitClient):
        client.open()
    else:
        client.check()
