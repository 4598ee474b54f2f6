"""The exceptions that glm_locust raises on purpose."""


class GlmLocustError(Exception):
    """Base of every error of ours; its text is one line for a person."""


class ConfigError(GlmLocustError):
    """Something the user gave is wrong or missing; the text says what was expected and where.

    Command lines print it without a traceback and exit with 64.
    """


class ProtocolError(GlmLocustError):
    """A conversation with a server broke the protocol."""


class LocalProtocolError(ProtocolError):
    """We broke the protocol: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The server broke the protocol."""
