"""Metrics of the present run for Prometheus, in Locust's web app and on a port of their own."""

import base64
import binascii
import hmac
import os
import ssl
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import flask
import gevent
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from locust.env import Environment

from glm_locust.config import MetricsPort, Scenario
from glm_locust.errors import ConfigError
from glm_locust.exposition import Format, RunGauges, RunPage, RunTally, negotiated
from glm_locust.run import Run
from glm_locust.transport.clock import now_ns

METRICS_PATH = "/metrics"
WEB_PATH = "/glm/metrics"
MOST_CONNECTIONS = 32
CONNECTION_S = 60.0
"""Longest life of a connection: one that says nothing does not keep its place."""

Page = Callable[[str], tuple[str, bytes]]
"""Accept header -> content type and body."""


class Exposition:
    """What scrapers get: the numbers of the present run, or of the last one, and none before the first.

    Counters begin at 0 with every run, so that they agree with its `run.jsonl`.
    """

    def __init__(self) -> None:
        self._page: RunPage | None = None
        self._gauges: RunGauges | None = None

    def begin(self, run: Run) -> None:
        """A run begins; no record of it was admitted yet."""
        tally = RunTally()
        run.add_sink(tally)
        self._page, self._gauges = RunPage(tally), RunGauges(run)

    def page(self, accept: str) -> tuple[str, bytes]:
        """Content type and body for a client with this Accept header."""
        form = negotiated(accept)
        if self._page is None or self._gauges is None:
            return form.value, b"# EOF\n" if form is Format.OPENMETRICS else b""
        pieces: list[str] = []
        for piece in self._page.pieces(form, self._gauges.values(now_ns())):
            pieces.append(piece)
            gevent.sleep(0)  # records go on coming
        return form.value, "".join(pieces).encode()


def expose(environment: Environment, scenario: Scenario) -> Exposition | None:
    """Serve metrics where that was asked for, and in the web app where there is one; None: nowhere.

    Raises ConfigError where the port cannot be served.
    """
    web_ui = environment.web_ui
    if web_ui is None and scenario.prometheus is None:
        return None
    exposition = Exposition()
    if web_ui is not None:
        _mount(environment, web_ui, exposition.page)
    if scenario.prometheus is not None:
        serve(scenario.prometheus, exposition.page)
    return exposition


def serve(port: MetricsPort, page: Page) -> "MetricsServer":
    """Serve the page at /metrics from now on; raises ConfigError."""
    auth = port.auth.read("prometheus_auth")
    if auth is not None and not all(auth.partition(":")):
        raise ConfigError("prometheus_auth: expected user:password in the variable or file")
    tls = None if port.cert is None else _tls_context(port.cert, port.key)
    server = MetricsServer(port, _Application(page, auth), tls)
    try:
        server.start()
    except OSError as error:
        # gevent adds the address to the text of the error; one of name resolution has no number above 0.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise ConfigError(f"prometheus: cannot listen on {port.shown}: {why}") from None
    return server


class MetricsServer(WSGIServer):  # type: ignore[misc] # gevent has no types
    """A server in greenlets of this process, few and none for ever."""

    def __init__(self, port: MetricsPort, application: "_Application", tls: ssl.SSLContext | None) -> None:
        secured = {} if tls is None else {"ssl_context": tls}
        super().__init__(
            (port.host, port.port),
            application,
            log=None,
            error_log=None,
            spawn=Pool(MOST_CONNECTIONS),
            **secured,
        )

    def handle(self, *connection: Any) -> None:
        """Serve one connection."""
        with gevent.Timeout(CONNECTION_S, False):
            super().handle(*connection)

    def wrap_socket_and_handle(self, *connection: Any) -> None:
        """Serve one connection by TLS; its handshake counts too."""
        with gevent.Timeout(CONNECTION_S, False):
            super().wrap_socket_and_handle(*connection)


class _Application:
    """WSGI: the page at one path, behind basic authentication where that is asked for."""

    def __init__(self, page: Page, auth: str | None) -> None:
        self._page = page
        self._auth = None if auth is None else auth.encode()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        extra: dict[str, str] = {}
        content_type, body = Format.TEXT.value, b""
        if not self._admits(environ.get("HTTP_AUTHORIZATION", "")):
            status = HTTPStatus.UNAUTHORIZED
            extra["WWW-Authenticate"] = 'Basic realm="glm-locust", charset="UTF-8"'
        elif environ["PATH_INFO"] != METRICS_PATH:
            status, body = HTTPStatus.NOT_FOUND, f"try {METRICS_PATH}\n".encode()
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status = HTTPStatus.METHOD_NOT_ALLOWED
            extra["Allow"] = "GET, HEAD"
        else:
            status = HTTPStatus.OK
            content_type, body = self._page(environ.get("HTTP_ACCEPT", ""))
        headers = {
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "Content-Length": str(len(body)),
        }
        start_response(f"{status.value} {status.phrase}", list((headers | extra).items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _admits(self, header: str) -> bool:
        if self._auth is None:
            return True
        scheme, _, encoded = header.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and hmac.compare_digest(given, self._auth)


def _mount(environment: Environment, web_ui: Any, page: Page) -> None:
    """Add the page to Locust's web app, behind its login where that is on."""
    options = environment.parsed_options
    base = (getattr(options, "web_base_path", None) or "").rstrip("/")

    @web_ui.auth_required_if_enabled  # type: ignore[untyped-decorator]
    def glm_metrics() -> flask.Response:
        content_type, body = page(flask.request.headers.get("Accept", ""))
        return flask.Response(body, content_type=content_type, headers={"Cache-Control": "no-store"})

    web_ui.app.add_url_rule(f"{base}{WEB_PATH}", "glm_metrics", glm_metrics)


def _tls_context(cert: str, key: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password="")  # nobody is there to type one
    except ssl.SSLError:
        raise ConfigError(
            f"prometheus_cert: expected a certificate and its key in PEM form in {cert}"
        ) from None
    except OSError as error:
        raise ConfigError(f"prometheus_cert: cannot read {cert}: {error.strerror}") from None
    return context
