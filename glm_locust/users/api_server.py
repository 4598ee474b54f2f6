"""ApiServer: an OpenAI-compatible server as all API users of a process share it."""

import re
from typing import Final

import gevent
import httpx
from gevent.lock import RLock

from glm_locust.config import ApiTarget
from glm_locust.errors import ConfigError, one_line
from glm_locust.protocols.openai import CHAT_PATH, MODELS_PATH, error_text, model_names
from glm_locust.records import ErrorKind
from glm_locust.transport.client import open_client
from glm_locust.transport.exchange import Exchange
from glm_locust.transport.failures import explain
from glm_locust.transport.observer import Observer

CHECK_TIMEOUT_S: Final = 20.0
"""Of one request of the preflight, whatever the server trickles."""
_BODY_BYTES: Final = 4 * 1024 * 1024
_NAMES_SHOWN: Final = 8
_VERSIONED: Final = re.compile(r"/v\d+$")
_SECRET_LENGTH: Final = 6
"""Shorter header values are no secrets, and hiding them would tear holes into messages."""


class ApiServer:
    """Address, headers and model of one server; the server is asked once, by the first user.

    Raises ConfigError for a URL that leads to no API, and for a key that is named but not there.
    """

    def __init__(self, target: ApiTarget, *, observer: Observer | None = None) -> None:
        self.target = target
        self._observer = observer
        self.base_url = _base_url(target.url)
        self._key = target.api_key.read("API key")
        self._headers = dict(target.headers)
        if self._key is not None:
            self._headers["Authorization"] = f"Bearer {self._key}"
        self._lock = RLock()
        self._checked = False
        self._problem: str | None = None
        self._model = target.model

    def open_client(self) -> httpx.Client:
        """A client with our headers whose name lookup and connect are bounded."""
        deadlines = self.target.deadlines
        # Our own transport needs no timeout per read: the deadlines of the answer bound it. Stock
        # httpx has one more, since only there a read may block outside gevent's control.
        rest = None if self.target.http_client == "gevent" else deadlines.total_s
        return open_client(
            self.target.http_client,
            headers=_checked_headers(self._headers),
            ca=self.target.ca,
            timeout=httpx.Timeout(rest, connect=deadlines.connect_s),
            observer=self._observer,
        )

    def model(self) -> str | None:
        """The model to ask for: the target's, else the first one listed, else None (the field is omitted).

        The first call checks address, key and model; raises ConfigError with one line.
        """
        with self._lock:
            if not self._checked:
                try:
                    with self.open_client() as client:
                        self._model = self._check(client)
                except ConfigError as error:
                    self._problem = str(error)
                self._checked = True
            if self._problem is not None:
                raise ConfigError(self._problem)
            return self._model

    def hide(self, text: str) -> str:
        """`text` without our key and header values, which a server may have echoed."""
        for value in (self._key or "", *self.target.headers.values()):
            if len(value) >= _SECRET_LENGTH:
                text = text.replace(value, "***")
        return text

    def _check(self, client: httpx.Client) -> str | None:
        status, kind, body = self._fetch(client, "GET", MODELS_PATH)
        names = model_names(body) if status == httpx.codes.OK else None
        if names is None and "html" in kind:
            raise self._error(f"not an OpenAI-compatible server: {MODELS_PATH} is a web page (HTTP {status})")
        if names is None and status == httpx.codes.OK:
            raise self._error(f"not an OpenAI-compatible server: no list of models at {MODELS_PATH}")
        # An empty question costs no computation, and every server that takes questions refuses it.
        status, kind, _ = self._fetch(client, "POST", CHAT_PATH, content=b"{}")
        if status in {httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.NOT_IMPLEMENTED}:
            raise self._error(f"not an OpenAI-compatible server: no {CHAT_PATH} (HTTP {status})")
        if "html" in kind:
            raise self._error(f"not an OpenAI-compatible server: {CHAT_PATH} is a web page (HTTP {status})")
        wanted = self.target.model
        if wanted is None:
            return names[0] if names else None
        if names and wanted not in names:
            listed = ", ".join(one_line(name, 80) for name in names[:_NAMES_SHOWN])
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise self._error(f"model {wanted!r} is not served; served: {listed}{more}")
        return wanted

    def _fetch(
        self, client: httpx.Client, method: str, path: str, content: bytes | None = None
    ) -> tuple[int, str, bytes]:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        exchange = Exchange()
        try:
            with gevent.Timeout(CHECK_TIMEOUT_S, TimeoutError()):
                request = client.build_request(
                    method,
                    self.base_url + path,
                    content=content,
                    headers=headers,
                    extensions={"exchange": exchange},
                )
                response = client.send(request, stream=True)
                try:
                    body = b""
                    for piece in response.iter_bytes():
                        body += piece
                        if len(body) > _BODY_BYTES or "event-stream" in _kind(response):
                            break
                finally:
                    response.close()
        except (httpx.HTTPError, OSError) as error:
            failure = explain(error, exchange.step)
            hint = "; name its authority with --ca, or use http://" if failure.kind is ErrorKind.TLS else ""
            raise self._error(f"{failure.detail}{hint}") from None
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise self._error(self._refusal(response.status_code, body))
        if response.is_redirect:
            there = one_line(response.headers.get("location", "elsewhere"), 120)
            raise self._error(f"it redirects to {there}; give the address that answers itself")
        return response.status_code, _kind(response), body

    def _refusal(self, status: int, body: bytes) -> str:
        said = one_line(error_text(body), 120) if body.strip() else "no message"
        if self._key is None:
            return f"wants a key, and none was named (HTTP {status}: {said})"
        return f"the key was refused (HTTP {status}: {said})"

    def _error(self, problem: str) -> ConfigError:
        return ConfigError(self.hide(f"API at {self.base_url}: {problem}"))


def _kind(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).lower()


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.userinfo:
        raise ConfigError("API URL: a name or password in it would be recorded; name a key instead")
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment:
        raise ConfigError(f"API URL: expected http(s)://host[:port][/path], got {one_line(url, 100)!r}")
    base = str(parsed).rstrip("/").removesuffix(CHAT_PATH)
    return base if _VERSIONED.search(base) else base + "/v1"


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ConfigError(
                f"header: expected a name of letters, digits and dashes, got {one_line(name, 60)!r}"
            )
        if not value.isascii() or any(c in value for c in "\r\n\0"):
            raise ConfigError(f"header {name}: expected one line of ASCII text")
    return headers
