"""Sans-IO protocols: bytes in, commands and signals out."""

from glm_locust.protocols.session import ChatSession, Command, HttpPost, HttpPut, SendMessage

__all__ = ["ChatSession", "Command", "HttpPost", "HttpPut", "SendMessage"]
