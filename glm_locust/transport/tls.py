"""TLS contexts, one per file of certificate authorities: building one costs 25 ms and a megabyte."""

import functools
import ssl

from glm_locust.errors import ConfigError


@functools.cache
def shared_context(ca: str | None = None, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """The context that verifies servers against `ca` (a PEM file) or the system's authorities.

    Raises ConfigError where the file cannot be read or holds no certificate. `alpn` is part of
    the identity because it is a property of the context: HTTP/2 clients never share one with others.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise ConfigError(f"ca: {ca} holds no certificate in PEM form") from None
    except OSError as error:
        raise ConfigError(f"ca: cannot read {ca}: {error.strerror}") from None
    context.set_alpn_protocols(list(alpn))
    return context
