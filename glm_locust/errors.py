"""The exceptions that glm_locust raises on purpose, and how foreign text gets into them."""


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


def one_line(text: str, limit: int = 300) -> str:
    """Untrusted text as one printable line of at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
