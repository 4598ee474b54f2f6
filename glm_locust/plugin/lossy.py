"""Lossy: a channel for those who repeat themselves."""

import logging
from typing import Any

from locust.exception import RPCError

from glm_locust.transport.channel import Channel, Handler

_log = logging.getLogger("glm_locust")


class Lossy:
    """A channel on which a message that cannot be sent is lost: conductor and desks repeat themselves."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        """Send, or not."""
        try:
            self._channel.send(kind, data, worker)
        except RPCError as error:
            _log.debug("glm_locust: %s was not sent: %s", kind, error)

    def on(self, kind: str, handler: Handler) -> None:
        """Add a handler."""
        self._channel.on(kind, handler)
