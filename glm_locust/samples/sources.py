"""Where samples come from: names, how to speak to them, and whether they are what they should be."""

import base64
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import msgspec

from glm_locust.config import Scenario
from glm_locust.errors import ConfigError, one_line
from glm_locust.samples.exposition import plain_values

CHECK_TIMEOUT_S = 5.0
AUTH_VARIABLE = "GLM_SAMPLES_AUTH"
"""`user:password` for basic auth of all sources, in the fetching process's environment only."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The exporters and Prometheus endpoints of a run."""

    exporters: dict[str, str] = field(default_factory=dict)
    """Source name -> base URL."""
    metrics: dict[str, str] = field(default_factory=dict)
    """Source name -> URL."""
    auth: str | None = field(default=None, repr=False)
    """`user:password`."""
    ca: str | None = None

    def __bool__(self) -> bool:
        return bool(self.exporters or self.metrics)


def sources_of(scenario: Scenario) -> Sources:
    """The sources that a scenario names; raises ConfigError where their secret cannot be read."""
    auth = scenario.samples_auth.read("samples_auth")
    if auth is not None and ":" not in auth:
        raise ConfigError("samples_auth: expected user:password in the variable or file")
    return Sources(
        exporters=named(scenario.exporter),
        metrics=named(_with_path(url) for url in scenario.metrics),
        auth=auth,
        ca=scenario.samples_ca,
    )


def named(urls: Iterable[str]) -> dict[str, str]:
    """Short names for URLs: host and port, and the path where that is not enough."""
    found: dict[str, str] = {}
    for url in urls:
        parts = urlsplit(url)
        name = parts.netloc if parts.netloc not in found else f"{parts.netloc}{parts.path}"
        found[name] = url.rstrip("/")
    return found


def basic_auth_header(auth: str) -> str:
    """The value of `Authorization` for `user:password`."""
    return "Basic " + base64.b64encode(auth.encode()).decode()


def tls_context(ca: str | None) -> ssl.SSLContext:
    """What to trust; raises ConfigError where `ca` cannot be read."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"samples_ca: cannot read {ca}: {error.strerror or error}") from None


def client(auth: str | None, ca: str | None, timeout_s: float) -> httpx.Client:
    """A client for all sources; it heeds no proxy of the environment."""
    headers = {} if auth is None else {"Authorization": basic_auth_header(auth)}
    return httpx.Client(timeout=timeout_s, verify=tls_context(ca), headers=headers, trust_env=False)


def check(sources: Sources) -> None:
    """Make sure that every source answers with what it should; raises ConfigError naming the first."""
    with client(sources.auth, sources.ca, CHECK_TIMEOUT_S) as http:
        for url in sources.exporters.values():
            answer = _got(http, "exporter", url, "/v1/clock")
            if answer.status_code != httpx.codes.OK or not _is_clock(answer.content):
                raise ConfigError(
                    f"exporter: {url} is not a glm-gpu-exporter: /v1/clock answered {_seen(answer)}"
                )
        for url in sources.metrics.values():
            answer = _got(http, "metrics", url, "")
            try:
                found = plain_values(answer.text) if answer.status_code == httpx.codes.OK else {}
            except ValueError:
                found = {}
            if not found:
                raise ConfigError(f"metrics: expected Prometheus metrics at {url}, got {_seen(answer)}")


def _got(http: httpx.Client, kind: str, url: str, path: str) -> httpx.Response:
    try:
        answer = http.get(url + path)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = one_line(str(error) or type(error).__name__)
        raise ConfigError(f"{kind}: {url} cannot be reached: {why}") from None
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ConfigError(
            f"{kind}: {url} wants other credentials than samples_auth gives ({answer.status_code})"
        )
    return answer


def _seen(answer: httpx.Response) -> str:
    kind = one_line(answer.headers.get("content-type", "no content type"), 60)
    return f"status {answer.status_code} with {kind}"


def _is_clock(body: bytes) -> bool:
    try:
        told = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return isinstance(told, Mapping) and {"t_in_ns", "t_out_ns", "instance"} <= told.keys()


def _with_path(url: str) -> str:
    return url.rstrip("/") + "/metrics" if urlsplit(url).path in ("", "/") else url
