"""httpx clients on either transport: our measuring one, or httpx's own for proxies and HTTP/2.

With `gevent` a request goes to the server directly; HTTP_PROXY, HTTPS_PROXY and ALL_PROXY are not
looked at, because a proxy on the way would be measured as if it were the server. With `httpx` they
are honoured, HTTP/2 is spoken where h2 is installed and the server offers it, instants are
read when httpx hands the data over, and there are no kernel stamps.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from typing import Final

import httpx

from glm_locust.errors import ConfigError
from glm_locust.transport.clock import now_ns
from glm_locust.transport.exchange import Exchange
from glm_locust.transport.failures import Step
from glm_locust.transport.http import GeventTransport
from glm_locust.transport.observer import Observer, observe
from glm_locust.transport.tls import shared_context

HTTP_CLIENTS: Final = ("gevent", "httpx")


def open_client(
    http_client: str,
    *,
    headers: Mapping[str, str] | None = None,
    ca: str | None = None,
    timeout: httpx.Timeout | None = None,
    kernel_stamps: bool = True,
    observer: Observer | None = None,
) -> httpx.Client:
    """A client for one user; raises ConfigError for an unknown kind or an unreadable `ca`."""
    identity = {"Accept-Encoding": "identity", **(headers or {})}
    limit = timeout or httpx.Timeout(None)
    if http_client == "gevent":
        transport = GeventTransport(ssl_context=shared_context(ca), kernel_stamps=kernel_stamps)
        client = httpx.Client(transport=transport, headers=identity, timeout=limit, trust_env=False)
    elif http_client == "httpx":
        http2 = importlib.util.find_spec("h2") is not None
        context = shared_context(ca, ("h2", "http/1.1") if http2 else ("http/1.1",))
        client = httpx.Client(verify=context, headers=identity, timeout=limit, http2=http2)
    else:
        raise ConfigError(f"http_client: expected one of {', '.join(HTTP_CLIENTS)}, got {http_client!r}")
    if observer is not None:
        observe(client, observer)
    return client


def send(client: httpx.Client, request: httpx.Request, exchange: Exchange) -> httpx.Response:
    """Send, and read the head of the answer; `exchange` fills whatever transport the client has."""
    request.extensions = {**request.extensions, "exchange": exchange, "trace": _Trace(request, exchange)}
    response = client.send(request, stream=True)
    if "exchange" not in response.extensions:
        exchange.at_ns = now_ns()
        exchange.step = Step.RECEIVE
    return response


def pieces(response: httpx.Response, exchange: Exchange) -> Iterator[bytes]:
    """The body as it comes; `exchange.at_ns` is the instant of the read that brought the piece."""
    measured = "exchange" in response.extensions
    coded = response.headers.get("content-encoding", "identity") != "identity"
    if measured and not coded:
        # Not iter_raw: it counts and re-chunks, and its bookkeeping costs as much as our parsing.
        yield from response.stream  # type: ignore[misc]  # a sync client's answer has a sync stream
        return
    for piece in response.iter_bytes() if coded else response.iter_raw():
        if not measured:
            exchange.at_ns = now_ns()
            exchange.bytes_in += len(piece)
        yield piece


class _Trace:
    """httpcore's trace hook: tells when stock httpx begins and ends to write."""

    def __init__(self, request: httpx.Request, exchange: Exchange) -> None:
        self._request = request
        self._exchange = exchange

    def __call__(self, event: str, _: dict[str, object]) -> None:
        exchange = self._exchange
        if event.endswith("send_request_headers.started"):
            exchange.step = Step.SEND
            exchange.sent_ns = at_ns = now_ns()
            if exchange.on_sent is not None:
                exchange.on_sent(at_ns)
        elif event.endswith("send_request_body.complete"):
            exchange.sent_all_ns = now_ns()
            exchange.bytes_out += int(self._request.headers.get("content-length", 0))
            exchange.step = Step.AWAIT
