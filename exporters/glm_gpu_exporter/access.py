"""Who may ask: TLS and basic authentication, with secrets from environment or file only."""

import base64
import binascii
import hmac
import os
import ssl
from pathlib import Path

from glm_gpu_exporter.errors import ConfigError


class BasicAuth:
    """The one user and password that is let in."""

    def __init__(self, credentials: str, origin: str) -> None:
        user, colon, password = credentials.strip().partition(":")
        if not (user and colon and password):
            raise ConfigError(f"{origin}: expected user:password")
        self._expected = f"{user}:{password}".encode()

    @classmethod
    def from_environment(cls, name: str) -> "BasicAuth":
        """Credentials from an environment variable."""
        if name not in os.environ:
            raise ConfigError(f"--basic-auth-env {name}: the variable is not set")
        return cls(os.environ[name], f"--basic-auth-env {name}")

    @classmethod
    def from_file(cls, path: Path) -> "BasicAuth":
        """Credentials from the first line of a file."""
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--basic-auth-file {path}: {_reason(error)}") from None
        return cls(lines[0] if lines else "", f"--basic-auth-file {path}")

    def admits(self, header: str | None) -> bool:
        """Whether an Authorization header carries the credentials."""
        scheme, _, encoded = (header or "").partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._expected)


def tls_context(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """Server side TLS; with ``client_ca`` only clients with a certificate of that authority are let in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise ConfigError(f"--tls-cert {certificate}: {_reason(error)}") from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except OSError as error:
            raise ConfigError(f"--tls-client-ca {client_ca}: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "no usable PEM certificate and key"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "not a text file"
