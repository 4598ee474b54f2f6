"""The one table from OS, TLS and library errors to httpx's exceptions and to our error kinds."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import httptools
import httpx
import websocket

from glm_locust.errors import LocalProtocolError, ProtocolError, one_line
from glm_locust.protocols.status import kind_of_status
from glm_locust.records import ErrorKind


class Step(IntEnum):
    """How far a conversation had come when it broke."""

    CONNECT = 0
    """Name lookup, TCP connect, TLS handshake."""
    SEND = 1
    """The question was being written."""
    AWAIT = 2
    """All was written, nothing of the answer had come."""
    RECEIVE = 3
    """The answer had begun."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a conversation broke, ready for `Measurement.fail`."""

    kind: ErrorKind
    detail: str
    """One line; what a server or library said in it is untrusted text."""


_Errors = tuple[type[BaseException], ...]
_HttpxErrors = tuple[
    type[httpx.TransportError],
    type[httpx.TransportError],
    type[httpx.TransportError],
    type[httpx.TransportError],
]
_Kinds = tuple[ErrorKind, ErrorKind, ErrorKind, ErrorKind]


@dataclass(frozen=True, slots=True)
class _Row:
    errors: _Errors
    raised: _HttpxErrors
    """What a transport of ours raises for it, by step."""
    kinds: _Kinds
    """By step."""
    words: str
    says_more: bool = False
    """Whether the error's own text is worth adding."""


_LOST: Final[_HttpxErrors] = (httpx.ConnectError, httpx.WriteError, httpx.ReadError, httpx.ReadError)
_BROKEN: Final[_HttpxErrors] = (httpx.RemoteProtocolError,) * 4
_CONNECTION: Final[_Kinds] = (ErrorKind.CONNECT, ErrorKind.CONNECT, ErrorKind.CONNECT, ErrorKind.TRUNCATED)
_PROTOCOL: Final[_Kinds] = (ErrorKind.PROTOCOL,) * 4
_TLS: Final[_Kinds] = (ErrorKind.TLS,) * 4

# Most special first: the first row that fits any error of the chain of causes is taken.
_TABLE: Final[tuple[_Row, ...]] = (
    _Row((ssl.SSLCertVerificationError,), _LOST, _TLS, "certificate not trusted", says_more=True),
    _Row((ssl.SSLError,), _LOST, _TLS, "TLS failed", says_more=True),
    _Row(
        (TimeoutError, httpx.TimeoutException, websocket.WebSocketTimeoutException),
        (httpx.ConnectTimeout, httpx.WriteTimeout, httpx.ReadTimeout, httpx.ReadTimeout),
        (
            ErrorKind.CONNECT,
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            ErrorKind.TIMEOUT_STALL,
        ),
        "timed out",
    ),
    _Row((socket.gaierror, websocket.WebSocketAddressException), _LOST, _CONNECTION, "host name not found"),
    _Row((ConnectionRefusedError,), _LOST, _CONNECTION, "connection refused"),
    _Row(
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
        _LOST,
        _CONNECTION,
        "connection reset by the server",
    ),
    _Row(
        (EOFError, websocket.WebSocketConnectionClosedException),
        _BROKEN,
        _CONNECTION,
        "connection closed by the server",
    ),
    _Row((httpx.ProxyError, websocket.WebSocketProxyException), _LOST, _CONNECTION, "proxy", says_more=True),
    _Row(
        (httptools.HttpParserError, httptools.HttpParserUpgrade),
        _BROKEN,
        _PROTOCOL,
        "not an HTTP answer",
        says_more=True,
    ),
    _Row(
        (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException),
        _BROKEN,
        _PROTOCOL,
        "broken websocket frame",
        says_more=True,
    ),
    _Row((httpx.DecodingError,), _BROKEN, _PROTOCOL, "content coding broken", says_more=True),
    _Row((ProtocolError, httpx.ProtocolError), _BROKEN, _PROTOCOL, "protocol broken", says_more=True),
    _Row((OSError, httpx.NetworkError), _LOST, _CONNECTION, "network error", says_more=True),
    _Row((websocket.WebSocketException, httpx.TransportError), _BROKEN, _PROTOCOL, "failed", says_more=True),
)

_WHERE: Final = ("while connecting", "while sending", "before an answer came", "in the middle of the answer")

_CLOSED_IN_WORDS: Final = ("peer closed connection", "server disconnected")
"""How httpcore reports an early end of the connection: by text alone."""


def explain(error: BaseException, step: Step) -> Failure:
    """What a broken conversation counts as.

    Raises LocalProtocolError with the error as cause where it is not one of a network, a server
    or a library that speaks to one: such an error is a bug and must not become a measurement.
    """
    status = _handshake_status(error)
    kind = kind_of_status(status) if status is not None else None
    if kind is not None:
        return Failure(kind, f"HTTP status {status}")
    if isinstance(error, LocalProtocolError):
        raise error
    found = _find(error)
    if found is None:
        raise LocalProtocolError(f"not an error of a conversation: {error!r}") from error
    row, cause = found
    detail = f"{row.words} {_WHERE[step]}"
    if row.says_more:
        said = _text(cause)
        detail = f"{row.words}: {said}" if said else detail
    return Failure(row.kinds[step], one_line(detail))


def as_httpx(error: Exception, step: Step, request: httpx.Request) -> httpx.TransportError:
    """The exception that httpx itself would raise here; raise it `from error`."""
    found = _find(error)
    if found is None:
        raise LocalProtocolError(f"not an error of a conversation: {error!r}") from error
    row, cause = found
    text = f"{row.words}: {_text(cause)}" if row.says_more else f"{row.words} {_WHERE[step]}"
    return row.raised[step](one_line(text), request=request)


def _find(error: BaseException) -> tuple[_Row, BaseException] | None:
    chain = list(_causes(error))
    for row in _TABLE:
        for cause in chain:
            if isinstance(cause, row.errors):
                return row, cause
            if EOFError in row.errors and str(cause).lower().startswith(_CLOSED_IN_WORDS):
                return row, cause
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__  # httpcore raises "from None", which hides, but keeps


def _text(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        # OpenSSL's errors have these; those that Python code raises itself need not.
        said = getattr(error, "verify_message", None) or getattr(error, "reason", None) or error.strerror
        return str(said or error).replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def _handshake_status(error: BaseException) -> int | None:
    return error.status_code if isinstance(error, websocket.WebSocketBadStatusException) else None
