"""Where the metrics of a run are served for Prometheus, and who may read them."""

import re
from dataclasses import dataclass, field

from glm_locust.config.settings import Settings
from glm_locust.config.targets import Secret

LOOPBACK = "127.0.0.1"
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]*)):(?P<port>[0-9]{1,5})")
_EXPECTED = "HOST:PORT like 127.0.0.1:9646, or :9646"


@dataclass(frozen=True, slots=True)
class MetricsPort:
    """A port of the master's own for scrapers."""

    host: str
    port: int
    cert: str | None = None
    """PEM file with the certificate, for TLS."""
    key: str | None = None
    """PEM file with its key, where the certificate's file does not hold it."""
    auth: Secret = field(default_factory=Secret)
    """Where `user:password` for basic authentication is found."""

    @property
    def shown(self) -> str:
        """Host and port as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_metrics_port(settings: Settings, base: MetricsPort | None) -> MetricsPort | None:
    """The keys `prometheus` and `prometheus_...`, or a table `[prometheus]`; None where nothing is said."""
    table = settings.table("prometheus") if settings.is_table("prometheus") else None
    source, listen, prefix = (
        (settings, "prometheus", "prometheus_") if table is None else (table, "listen", "")
    )
    text = source.text(listen)
    cert, key = source.file(f"{prefix}cert"), source.file(f"{prefix}key")
    auth = source.secret(f"{prefix}auth")
    if table is not None:
        table.close()
    host, port = (base.host, base.port) if base is not None else (None, None)
    if text is not None:
        host, port = _address(source, listen, text)
    if host is None or port is None:
        if table is not None:
            table.fail("listen", _EXPECTED)
        words = {"cert": cert, "key": key, "auth_env": auth and auth.env, "auth_file": auth and auth.file}
        for word, value in words.items():
            if value is not None:
                settings.fail(
                    f"prometheus_{word}", "prometheus beside it, which says where to listen", show=False
                )
        return None
    if base is not None:
        cert, key, auth = cert or base.cert, key or base.key, auth or base.auth
    if key is not None and cert is None:
        source.fail(f"{prefix}key", f"{prefix}cert beside it", show=False)
    return MetricsPort(host, port, cert, key, auth or Secret())


def _address(source: Settings, key: str, text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or not 0 < int(found["port"]) < 65536:
        source.fail(key, _EXPECTED)
    return found["v6"] or found["host"] or LOOPBACK, int(found["port"])
