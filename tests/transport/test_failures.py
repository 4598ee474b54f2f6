"""The one table of failures: what each error is raised and recorded as."""

import socket
import ssl

import httptools
import httpx
import pytest
import websocket

from glm_locust.errors import LocalProtocolError, RemoteProtocolError
from glm_locust.records import ErrorKind
from glm_locust.transport.failures import Failure, Step, as_httpx, explain

REQUEST = httpx.Request("GET", "http://127.0.0.1/")
ERRORS: list[tuple[BaseException, str, tuple[str, str, str, str]]] = [
    # the error, how its detail begins, the kinds at: connect, send, await, receive
    (
        ConnectionRefusedError(111, "refused"),
        "connection refused",
        ("connect", "connect", "connect", "truncated"),
    ),
    (ConnectionResetError(104, "reset"), "connection reset", ("connect", "connect", "connect", "truncated")),
    (BrokenPipeError(32, "pipe"), "connection reset", ("connect", "connect", "connect", "truncated")),
    (EOFError(), "connection closed", ("connect", "connect", "connect", "truncated")),
    (
        OSError(113, "No route to host"),
        "network error: No route to host",
        ("connect", "connect", "connect", "truncated"),
    ),
    (socket.gaierror(-2, "unknown"), "host name not found", ("connect", "connect", "connect", "truncated")),
    (
        TimeoutError(),
        "timed out",
        ("connect", "timeout_first_output", "timeout_first_output", "timeout_stall"),
    ),
    (
        httpx.ReadTimeout(""),
        "timed out",
        ("connect", "timeout_first_output", "timeout_first_output", "timeout_stall"),
    ),
    (
        websocket.WebSocketTimeoutException(),
        "timed out",
        ("connect", "timeout_first_output", "timeout_first_output", "timeout_stall"),
    ),
    (
        websocket.WebSocketConnectionClosedException("bye"),
        "connection closed",
        ("connect", "connect", "connect", "truncated"),
    ),
    (ssl.SSLError(1, "[SSL: X]"), "TLS failed", ("tls",) * 4),
    (httptools.HttpParserError("bad"), "not an HTTP answer: bad", ("protocol",) * 4),
    (RemoteProtocolError("too\nlong"), "protocol broken: too long", ("protocol",) * 4),
    (httpx.RemoteProtocolError("odd"), "protocol broken: odd", ("protocol",) * 4),
    (
        httpx.RemoteProtocolError("Server disconnected."),
        "connection closed",
        ("connect", "connect", "connect", "truncated"),
    ),
    (httpx.DecodingError("gzip"), "content coding broken: gzip", ("protocol",) * 4),
    (httpx.ProxyError("407"), "proxy: 407", ("connect", "connect", "connect", "truncated")),
    (websocket.WebSocketProtocolException("rsv"), "broken websocket frame: rsv", ("protocol",) * 4),
    (websocket.WebSocketPayloadException("utf8"), "broken websocket frame: utf8", ("protocol",) * 4),
]


@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower())
@pytest.mark.parametrize(("error", "detail", "kinds"), ERRORS, ids=lambda value: type(value).__name__)
def test_kinds(error: BaseException, detail: str, kinds: tuple[str, ...], step: Step) -> None:
    failure = explain(error, step)
    assert failure.kind == kinds[step]
    assert failure.detail.startswith(detail)
    assert failure.detail.isprintable()


def test_the_cause_counts_more_than_its_wrapping() -> None:
    def raises() -> None:
        try:
            raise ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
        except ssl.SSLError as error:
            raise httpx.ConnectError("oops") from error

    with pytest.raises(httpx.ConnectError) as caught:
        raises()
    assert explain(caught.value, Step.CONNECT).kind is ErrorKind.TLS


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, ErrorKind.REJECTED),
        (503, ErrorKind.REJECTED),
        (403, ErrorKind.HTTP_STATUS),
        (302, ErrorKind.HTTP_STATUS),
    ],
)
def test_a_refused_websocket_counts_by_its_status(status: int, kind: ErrorKind) -> None:
    error = websocket.WebSocketBadStatusException("handshake: %s %s", status, "no")
    assert explain(error, Step.CONNECT) == Failure(kind, f"HTTP status {status}")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (TimeoutError(), (httpx.ConnectTimeout, httpx.WriteTimeout, httpx.ReadTimeout, httpx.ReadTimeout)),
        (OSError(5, "x"), (httpx.ConnectError, httpx.WriteError, httpx.ReadError, httpx.ReadError)),
        (EOFError(), (httpx.RemoteProtocolError,) * 4),
        (httptools.HttpParserError(), (httpx.RemoteProtocolError,) * 4),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_transport_raises(error: Exception, raised: tuple[type[Exception], ...]) -> None:
    for step in Step:
        exception = as_httpx(error, step, REQUEST)
        assert type(exception) is raised[step]
        assert exception.request is REQUEST


@pytest.mark.parametrize("error", [ValueError("bug"), LocalProtocolError("bug"), KeyError("bug")])
def test_bugs_are_no_measurements(error: Exception) -> None:
    with pytest.raises(LocalProtocolError, match="bug"):
        explain(error, Step.RECEIVE)


def test_long_texts_of_servers_are_cut_to_one_line() -> None:
    failure = explain(httptools.HttpParserError("x\n\x1b" * 1000), Step.RECEIVE)
    assert len(failure.detail) <= 300
    assert failure.detail.isprintable()
