"""HTTP: /metrics, /v1/samples, /v1/clock, /healthz.  Answers from memory only, never from the driver."""

import gzip
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from glm_gpu_exporter import __version__
from glm_gpu_exporter.access import BasicAuth
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.intake import Intake
from glm_gpu_exporter.rows import encoded

PAGE_ROWS = 5_000
MOST_PAGE_ROWS = 20_000
MOST_CONNECTIONS = 64
IDLE_CONNECTION_S = 60.0
GZIP_LEVEL = 3

logger = logging.getLogger(__name__)


class BadQueryError(Exception):
    """A query that cannot be answered; the text says what was expected."""


class ExporterServer(ThreadingHTTPServer):
    """The listening server; a thread for each connection, up to a limit."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        listen: tuple[str, int],
        registry: CollectorRegistry,
        intake: Intake,
        auth: BasicAuth | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.registry = registry
        self.intake = intake
        self.auth = auth
        self._tls = tls
        self._slots = threading.BoundedSemaphore(MOST_CONNECTIONS)
        if ":" in listen[0]:
            self.address_family = 10  # AF_INET6
        try:
            super().__init__(listen, _Handler)
        except OSError as error:
            raise ConfigError(f"--listen {listen[0]}:{listen[1]}: {error.strerror or error}") from None

    @property
    def url(self) -> str:
        """Where the server listens."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if self.address_family == 10 else str(host)
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, or closes it when there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a connection and gives its slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serves a connection; the TLS handshake happens here, so that a slow one delays nobody."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE_CONNECTION_S)
        with self._tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the signature of socketserver
        """Clients that go away or fail the handshake are no news."""
        logger.debug("connection from %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: ExporterServer
    protocol_version = "HTTP/1.1"
    server_version = f"glm-gpu-exporter/{__version__}"
    sys_version = ""
    timeout = IDLE_CONNECTION_S
    disable_nagle_algorithm = True
    wbufsize = -1

    def parse_request(self) -> bool:
        self._received_ns = time.time_ns()
        return super().parse_request()

    def do_GET(self) -> None:
        if self.server.auth is not None and not self.server.auth.admits(self.headers.get("Authorization")):
            challenge = {"WWW-Authenticate": 'Basic realm="glm-gpu-exporter", charset="UTF-8"'}
            self._answer(HTTPStatus.UNAUTHORIZED, "text/plain", b"credentials needed\n", challenge)
            return
        path, _, query = self.path.partition("?")
        route = self.ROUTES.get(path)
        if route is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", f"try {' '.join(self.ROUTES)}\n".encode())
            return
        try:
            route(self, parse_qs(query, keep_blank_values=True))
        except BadQueryError as error:
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", f"{error}\n".encode())

    def _metrics(self, _query: dict[str, list[str]]) -> None:
        encoder, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._answer(HTTPStatus.OK, content_type, encoder(self.server.registry))

    def _clock(self, _query: dict[str, list[str]]) -> None:
        times = {"t_in_ns": self._received_ns, "t_out_ns": time.time_ns()}
        body = json.dumps({**times, "instance": self.server.intake.instance}).encode() + b"\n"
        self._answer(HTTPStatus.OK, "application/json", body)

    def _samples(self, query: dict[str, list[str]]) -> None:
        intake = self.server.intake
        limit = _limit(query)
        since = query.get("since", ["0"])[-1]
        if since.startswith("@"):
            lost = 0
            page = intake.page_from(_unix_ns(since), limit)
        else:
            seq = _sequence(since)
            page = intake.page_after(seq, limit)
            lost = max(page.first_seq - 1 - seq, 0) if seq else 0
        with intake.now() as (state, _):
            gpus = {str(index): gpu.identity for index, gpu in sorted(state.gpus.items())}
        header = {
            "kind": "page",
            "instance": intake.instance,
            "gpus": gpus,
            "next": page.next_since,
            "more": page.more,
            "lost": lost,
            "first_seq": page.first_seq,
            "last_seq": page.last_seq,
            "now_ns": time.time_ns(),
        }
        body = b"\n".join([encoded(header), *page.lines]) + b"\n"
        self._answer(HTTPStatus.OK, "application/x-ndjson", body)

    def _health(self, _query: dict[str, list[str]]) -> None:
        with self.server.intake.now() as (state, now_s):
            gpus = {str(i): "up" if state.up(gpu, now_s) else "down" for i, gpu in sorted(state.gpus.items())}
            nvml = "starting" if state.nvml is None else state.nvml["state"]
        well = "down" not in gpus.values() and nvml != "error"
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        health = {"status": "ok" if well else "degraded", "nvml": nvml, "gpus": gpus}
        self._answer(status, "application/json", json.dumps(health).encode() + b"\n")

    ROUTES: dict[str, Callable[["_Handler", dict[str, list[str]]], None]] = {  # noqa: RUF012 - never changed
        "/metrics": _metrics,
        "/v1/samples": _samples,
        "/v1/clock": _clock,
        "/healthz": _health,
    }

    def _answer(
        self, status: HTTPStatus, content_type: str, body: bytes, extra: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Cache-Control", "no-store")
        if len(body) > 1000 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, GZIP_LEVEL)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of http.server
        logger.debug(format, *args)


def _limit(query: dict[str, list[str]]) -> int:
    text = query.get("limit", [str(PAGE_ROWS)])[-1]
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_PAGE_ROWS):
        raise BadQueryError(f"limit: expected a number from 1 to {MOST_PAGE_ROWS}")
    return int(text)


def _sequence(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadQueryError("since: expected a sequence number, or @ and seconds since the epoch")
    return int(text)


def _unix_ns(text: str) -> int:
    try:
        seconds = Decimal(text[1:])
    except InvalidOperation:
        seconds = Decimal(-1)
    if not (seconds.is_finite() and 0 <= seconds < 10**10):
        raise BadQueryError("since: expected seconds since the epoch after the @")
    return int(seconds * 10**9)
