"""StreamlitPage: how one user reaches a page, directly or through Jupyter, and what refuses it there.

A browser's way: readiness (which sets the XSRF cookie), host configuration, websocket. A login page
answers 200 after redirections, so a status alone proves nothing.
"""

from dataclasses import dataclass
from http.cookiejar import Cookie
from typing import Final
from urllib.parse import urlsplit

import gevent
import httpx

from glm_locust.config import WebTarget
from glm_locust.errors import ConfigError, GlmLocustError, one_line
from glm_locust.protocols import HttpPut
from glm_locust.protocols.status import kind_of_status
from glm_locust.protocols.streamlit.page import Version
from glm_locust.records import ErrorKind
from glm_locust.transport import websocket
from glm_locust.transport.client import open_client
from glm_locust.transport.exchange import Exchange
from glm_locust.transport.failures import explain
from glm_locust.transport.observer import Observer
from glm_locust.transport.tls import shared_context
from glm_locust.users.streamlit_choices import secret_values

HEALTH_PATH: Final = "/_stcore/health"
CONFIG_PATH: Final = "/_stcore/host-config"
STREAM_PATH: Final = "/_stcore/stream"
SESSION_THIRD_SINCE: Final[Version] = (1, 29)
"""Before, the session to resume stood second among the subprotocols, where the XSRF token is now."""
_NO_TOKEN: Final = "PLACEHOLDER_AUTH_TOKEN"  # noqa: S105 - what a browser says when it has none
_XSRF_COOKIES: Final = ("_streamlit_xsrf", "_xsrf")
_BODY_BYTES: Final = 64 * 1024
_MAX_HOPS: Final = 10
_SECRET_LENGTH: Final = 6


class PageFaultError(GlmLocustError):
    """The page could not be reached or refused us: the error kind and one line."""

    def __init__(self, kind: ErrorKind, line: str, status: int | None = None) -> None:
        super().__init__(line)
        self.kind = kind
        self.status = status


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    url: httpx.URL
    """After redirections."""
    text: str


class StreamlitPage:
    """One user's way to a page: address, headers, cookies, connections.

    Raises ConfigError for a URL that leads to no page, and for secrets that are named but not there.
    """

    def __init__(self, target: WebTarget, *, observer: Observer | None = None) -> None:
        self.target = target
        self._observer = observer
        self.base_url = _base_url(target.url)
        place = urlsplit(self.base_url)
        self._server = f"{place.scheme}://{place.netloc}"
        self._token = target.jupyter_token.read("Jupyter token")
        cookies = {name: secret.read(f"cookie {name}") or "" for name, secret in target.cookies.items()}
        _refuse_unsendable({**target.headers, **cookies, "Jupyter token": self._token or ""})
        given = [value for name, value in target.headers.items() if name.lower() != "origin"]
        self._secrets = [self._token or "", *given, *cookies.values(), *secret_values(target)]
        self._headers = httpx.Headers({"Origin": self._server})
        if self._token is not None:
            self._headers["Authorization"] = f"token {self._token}"
        self._headers.update(target.headers)
        deadlines = target.deadlines
        self._http = open_client(
            "gevent",
            headers=self._headers,
            ca=target.ca,
            timeout=httpx.Timeout(None, connect=deadlines.connect_s),
            observer=observer,
        )
        for name, value in cookies.items():
            self._http.cookies.jar.set_cookie(_cookie(name, value, place.hostname or ""))
        self._xsrf: str | None = None

    def connect(self, session_id: str, version: Version) -> websocket.WebSocket:
        """Do what a browser does before the page appears; resumes the session where one is given.

        Raises PageFaultError.
        """
        self._check_health()
        self._get(CONFIG_PATH)
        protocols = ["streamlit", self._xsrf or _NO_TOKEN]
        if session_id:
            protocols[1 if version < SESSION_THIRD_SINCE else 2 :] = [session_id]
        url = self.base_url + STREAM_PATH
        request = httpx.Request("GET", url)
        self._http.cookies.set_cookie_header(request)
        try:
            return websocket.connect(
                "ws" + url.removeprefix("http"),
                tls=shared_context(self.target.ca),
                headers={name: value for name, value in self._headers.items() if name != "origin"},
                cookie=request.headers.get("cookie"),
                origin=self._headers["origin"],
                subprotocols=protocols,
                timeout_s=self.target.deadlines.connect_s,
                observer=self._observer,
            )
        except websocket.HandshakeRefusedError as refused:
            raise self._handshake_fault(refused) from None
        except OSError as error:
            failure = explain(error, Exchange().step)
            raise PageFaultError(failure.kind, f"no websocket: {failure.detail}") from None

    def upload(self, put: HttpPut, exchange: Exchange, timeout_s: float) -> None:
        """Upload one file; raises PageFaultError where it is not taken."""
        if not put.path.startswith("/"):
            raise PageFaultError(ErrorKind.PROTOCOL, f"not an upload address: {one_line(put.path, 80)!r}")
        headers = dict(put.headers)
        if self._xsrf is not None:
            headers["X-Xsrftoken"] = self._xsrf
        try:
            with gevent.Timeout(timeout_s, TimeoutError(f"not taken within {timeout_s:g} s")):
                request = self._http.build_request(
                    "PUT",
                    self.base_url + put.path,
                    content=put.body,
                    headers=headers,
                    extensions={"exchange": exchange},
                )
                response = self._http.send(request, stream=True)
                text = _read(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = explain(error, exchange.step)
            raise PageFaultError(failure.kind, self.hide(f"upload: {failure.detail}")) from None
        status = response.status_code
        if status not in put.expected_status:
            kind = kind_of_status(status) or ErrorKind.PROTOCOL
            said = one_line(text, 120) if "<" not in text[:200] else ""
            line = self.hide(f"upload refused with HTTP status {status}{_hint(status, said)}")
            raise PageFaultError(kind, line, status)

    def fetch(self, path: str) -> tuple[str, int]:
        """One file as a browser loads it: its text, and its size on the wire; raises PageFaultError."""
        exchange = Exchange()
        limit_s = self.target.deadlines.first_output_s
        try:
            with gevent.Timeout(limit_s, TimeoutError(f"no answer within {limit_s:g} s")):
                request = self._http.build_request(
                    "GET", self.base_url + path, extensions={"exchange": exchange}
                )
                response = self._follow(request)
                try:
                    body = response.read()
                finally:
                    response.close()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = explain(error, exchange.step)
            raise PageFaultError(failure.kind, self.hide(failure.detail)) from None
        if response.is_error:
            kind = kind_of_status(response.status_code) or ErrorKind.PROTOCOL
            raise PageFaultError(kind, f"HTTP status {response.status_code}", response.status_code)
        return body.decode(errors="replace"), response.num_bytes_downloaded

    def hide(self, text: str) -> str:
        """`text` without our token, cookies and header values, which a server may have echoed."""
        for secret in self._secrets:
            if len(secret) >= _SECRET_LENGTH:
                text = text.replace(secret, "***")
        return text

    def close(self) -> None:
        """Close the HTTP connections."""
        self._http.close()

    def _check_health(self) -> None:
        answer = self._get(HEALTH_PATH)
        if answer.status == httpx.codes.OK and answer.text.strip() == "ok":
            return
        if _is_login(answer):
            raise PageFaultError(ErrorKind.HTTP_STATUS, self._login_line(answer))
        kind = kind_of_status(answer.status)
        if answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            line = f"refused with HTTP status {answer.status}{self._credentials()}"
        elif answer.status == httpx.codes.NOT_FOUND:
            line = f"no Streamlit page there: HTTP status 404 at {HEALTH_PATH}; check the path of the URL"
        elif kind is not None:
            line = f"the page is not ready: HTTP status {answer.status} at {HEALTH_PATH}"
        else:
            line = f"something answers, but it is no Streamlit page: {HEALTH_PATH} says {_shown(answer.text)}"
        raise PageFaultError(kind or ErrorKind.PROTOCOL, self.hide(line), answer.status)

    def _get(self, path: str) -> _Answer:
        exchange = Exchange()
        limit_s = self.target.deadlines.connect_s
        try:
            with gevent.Timeout(limit_s, TimeoutError(f"no answer within {limit_s:g} s")):
                request = self._http.build_request(
                    "GET", self.base_url + path, extensions={"exchange": exchange}
                )
                response = self._follow(request)
                text = _read(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = explain(error, exchange.step)
            raise PageFaultError(failure.kind, self.hide(failure.detail)) from None
        if path == HEALTH_PATH and response.status_code == httpx.codes.OK:
            # Jupyter has a cookie `_xsrf` of its own; the one that comes with readiness is Streamlit's.
            given = (response.cookies.get(name) for name in _XSRF_COOKIES)
            self._xsrf = next((value.strip('"') for value in given if value), self._xsrf)
        return _Answer(response.status_code, response.url, text)

    def _follow(self, request: httpx.Request) -> httpx.Response:
        """The answer after redirections, none of which carries our credentials to another server."""
        for _ in range(_MAX_HOPS):
            response = self._http.send(request, stream=True)
            following = response.next_request
            if following is None:
                return response
            _read(response)
            place = following.url
            server = f"{place.scheme}://{place.netloc.decode()}"
            if server != self._server:
                line = (
                    f"the page sends its visitors to {one_line(server, 100)}: to log in, or is that its URL?"
                )
                raise PageFaultError(ErrorKind.HTTP_STATUS, line, response.status_code)
            request = following
        raise PageFaultError(ErrorKind.PROTOCOL, f"more than {_MAX_HOPS} redirections")

    def _handshake_fault(self, refused: websocket.HandshakeRefusedError) -> PageFaultError:
        kind = kind_of_status(refused.status) if refused.status is not None else None
        if refused.location is not None and "login" in refused.location:
            return PageFaultError(ErrorKind.HTTP_STATUS, f"a login is asked for{self._credentials()}")
        line = str(refused)
        if refused.status == httpx.codes.FORBIDDEN:
            line += f": origin {self._headers['origin']} not allowed, or no access{self._credentials()}"
        return PageFaultError(kind or ErrorKind.PROTOCOL, self.hide(line))

    def _login_line(self, answer: _Answer) -> str:
        who = "Jupyter" if "jupyter" in answer.text.lower() else "the server"
        return f"{who} shows its login page{self._credentials()}"

    def _credentials(self) -> str:
        if self._token is not None:
            return "; it does not accept the Jupyter token"
        if self.target.cookies:
            return "; it does not accept the cookies"
        return "; no Jupyter token or cookie is configured (jupyter_token_env)"


def _base_url(url: str) -> str:
    try:
        place = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise ConfigError(f"web URL: expected http://HOST/PATH, got {url!r}") from None
    if place.scheme not in ("http", "https") or not place.host:
        raise ConfigError(f"web URL: expected http://HOST/PATH, got {url!r}")
    if place.userinfo:
        raise ConfigError("web URL: expected no user or password in it; use a token or cookie")
    base = str(place.copy_with(query=None, fragment=None))
    return base.rstrip("/")


def _cookie(name: str, value: str, host: str) -> Cookie:
    # A cookie jar knows hosts without dots as "host.local".
    domain = host if "." in host or ":" in host else f"{host}.local"
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=domain,
        domain_specified=False,
        domain_initial_dot=False,
        path="/",
        path_specified=True,
        secure=False,
        expires=None,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )


def _refuse_unsendable(values: dict[str, str]) -> None:
    for name, value in values.items():
        text = f"{name}{value}"
        if not text.isascii() or not text.isprintable():
            raise ConfigError(f"web: header or cookie {one_line(name, 40)!r} holds what no header can carry")


def _read(response: httpx.Response) -> str:
    """The first part of a body; the rest is of no interest."""
    body = b""
    try:
        for piece in response.iter_raw():
            body += piece
            if len(body) > _BODY_BYTES:
                break
    finally:
        response.close()
    return body[:_BODY_BYTES].decode(errors="replace")


def _is_login(answer: _Answer) -> bool:
    if answer.url.path.rstrip("/").endswith(("/login", "/hub/login", "/signin")):
        return True
    text = answer.text.lower()
    return "<html" in text and 'type="password"' in text


def _hint(status: int, said: str) -> str:
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return ": the file is larger than the page takes"
    if status == httpx.codes.BAD_REQUEST:
        words = "the session is not known there; are there replicas without sticky sessions?"
        return f": {said}; {words}" if said else f": {words}"
    return f": {said}" if said else ""


def _shown(text: str) -> str:
    return repr(one_line(text, 60)) if text.strip() else "nothing"
