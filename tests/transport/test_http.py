"""The measuring transport against servers whose every byte is scripted."""

import socket as blocking_socket
import ssl
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import gevent
import httpx
import pytest
import trustme
from gevent import socket
from gevent.event import Event
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.records import ErrorKind
from glm_locust.transport import http as http_module
from glm_locust.transport.clock import now_ns
from glm_locust.transport.exchange import HEAD_LIMIT_BYTES, Exchange
from glm_locust.transport.failures import Step, explain
from glm_locust.transport.http import GeventTransport
from glm_locust.transport.tls import shared_context
from tests.servers.scripted import (
    LAST_CHUNK,
    Peer,
    Script,
    ScriptedServer,
    chunk,
    chunked_head,
    patience,
    respond,
)

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
LINUX = sys.platform == "linux"


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with patience():
        yield


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(transport=GeventTransport(), timeout=15, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    pem = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(pem)
    return ca, pem


def server_context(ca: trustme.CA, *names: str) -> "gevent.ssl.SSLContext":
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


def raw(*pieces: bytes, times: int = 1, close: bool = False) -> Script:
    """Answer with these bytes; `close`: then close at once."""

    def script(peer: Peer) -> None:
        for _ in range(times):
            if peer.read_request() is None:
                return
            peer.send(*pieces)
        if not close:
            peer.wait_for_close()

    return script


@pytest.mark.parametrize(
    ("why", "method", "answer", "closes", "body", "kept"),
    [
        ("a length", "GET", HELLO, False, b"hello", True),
        ("no content", "GET", OK + b"Content-Length: 0\r\n\r\n", False, b"", True),
        (
            "chunks",
            "GET",
            OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            False,
            b"hello",
            True,
        ),
        (
            "chunks with trailers",
            "GET",
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-After: 1\r\n\r\n",
            False,
            b"hello",
            True,
        ),
        ("until the connection closes", "GET", OK + b"\r\nhello", True, b"hello", False),
        (
            "an announced close",
            "GET",
            OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
            False,
            b"hello",
            False,
        ),
        (
            "HTTP/1.0 closes",
            "GET",
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            False,
            b"hello",
            False,
        ),
        (
            "HEAD has no body whatever it announces",
            "HEAD",
            OK + b"Content-Length: 5\r\n\r\n",
            False,
            b"",
            True,
        ),
        ("HEAD without length", "HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n", False, b"", True),
        ("204 has no body", "GET", b"HTTP/1.1 204 No Content\r\n\r\n", False, b"", True),
        ("nor has 304", "GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False, b"", True),
        (
            "informational answers come first",
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n" + HELLO,
            False,
            b"hello",
            True,
        ),
        ("what follows the message spoils the connection", "GET", HELLO + HELLO, False, b"hello", False),
        ("junk does, too", "GET", HELLO + b"junk", False, b"hello", False),
        (
            "a header without value",
            "GET",
            OK + b"X-Empty:\r\nContent-Length: 5\r\n\r\nhello",
            False,
            b"hello",
            True,
        ),
        ("no reason phrase", "GET", b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", True),
    ],
)
def test_framing(
    client: httpx.Client, why: str, method: str, answer: bytes, closes: bool, body: bytes, kept: bool
) -> None:
    with ScriptedServer(raw(answer, times=1 if closes else 2, close=closes)) as server:
        for _ in range(2):
            response = client.request(method, server.url)
            assert response.content == body, why
            assert "x-hint" not in response.headers
            assert "x-after" not in response.headers
        assert server.connections == (1 if kept else 2), why


@given(st.lists(st.integers(0, 400), max_size=20))
@settings(deadline=None, max_examples=25)
def test_any_split_gives_the_same_answer(cuts: list[int]) -> None:
    answer = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        + chunked_head()
        + chunk("data: 面条\n\n".encode())
        + chunk(b"data: [DONE]\n\n")
        + LAST_CHUNK
    )
    edges = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(edges)]
    with (
        ScriptedServer(raw(*pieces)) as server,
        httpx.Client(transport=GeventTransport(), timeout=15, trust_env=False) as client,
    ):
        response = client.get(server.url)
    assert response.status_code == 200
    assert response.content.decode() == "data: 面条\n\ndata: [DONE]\n\n"


def test_the_request_on_the_wire(client: httpx.Client) -> None:
    with ScriptedServer(raw(HELLO)) as server:
        headers = {"X-Mine": "1", "Accept-Encoding": "gzip, br"}
        exchange = Exchange()
        client.post(
            f"{server.url}/a/b?c=d%20e",
            content=b"x" * 100,
            headers=headers,
            extensions={"exchange": exchange},
        )
        (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/a/b?c=d%20e", b"x" * 100)
    assert request.headers["x-mine"] == "1"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert exchange.bytes_out == request.head_bytes + 100
    assert exchange.bytes_in == len(HELLO)


@pytest.mark.parametrize("size", [10, 300_000])
def test_bodies_sent_piece_by_piece(client: httpx.Client, size: int) -> None:
    def parts() -> Iterator[bytes]:
        yield b"a" * size
        yield b""
        yield b"b" * size

    with ScriptedServer(raw(HELLO)) as server:
        client.post(server.url, content=parts())
        (request,) = server.requests
    assert request.headers["transfer-encoding"] == "chunked"
    assert request.body == chunk(b"a" * size) + chunk(b"b" * size) + LAST_CHUNK


def test_a_large_body_with_a_length(client: httpx.Client) -> None:
    with ScriptedServer(raw(HELLO)) as server:
        client.post(server.url, content=b"x" * 3_000_000)
        assert len(server.requests[0].body) == 3_000_000


def test_line_breaks_in_headers_are_refused(client: httpx.Client) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="line break"):
        client.get("http://127.0.0.1:9/", headers={"X-A": "1\r\nX-B: 2"})


def test_other_schemes_are_refused(client: httpx.Client) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        client.get("ftp://127.0.0.1:9/")


def test_instants_of_one_exchange(client: httpx.Client) -> None:
    sent: list[int] = []
    exchange = Exchange(on_sent=sent.append)
    go_on = Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(chunked_head())
        go_on.wait()
        peer.send(chunk(b"one"))
        go_on.clear()
        go_on.wait()
        peer.send(chunk(b"two"), LAST_CHUNK)
        peer.wait_for_close()

    with ScriptedServer(script) as server:
        before = now_ns()
        with client.stream("POST", server.url, content=b"?", extensions={"exchange": exchange}) as response:
            head_ns = exchange.at_ns
            pieces = iter(response.iter_raw())
            go_on.set()
            assert next(pieces) == b"one"
            one_ns = exchange.at_ns
            go_on.set()
            assert next(pieces) == b"two"
            two_ns = exchange.at_ns
            assert list(pieces) == []
        after = now_ns()
    assert response.extensions["exchange"] is exchange
    assert exchange.sent_ns is not None
    assert exchange.sent_all_ns is not None
    assert sent == [exchange.sent_ns]
    assert head_ns is not None
    assert one_ns is not None
    assert two_ns is not None
    assert before < exchange.sent_ns < exchange.sent_all_ns < head_ns < one_ns < two_ns < after
    assert exchange.step is Step.RECEIVE


@pytest.mark.skipif(not LINUX, reason="the kernel's receive stamps are Linux'")
@pytest.mark.parametrize("tls", [False, True])
def test_the_lag_is_how_long_the_data_lay_in_the_kernel(
    authority: tuple[trustme.CA, Path], *, tls: bool
) -> None:
    ca, pem = authority
    head_read, arrived = Event(), Event()
    at: list[int] = []

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(chunked_head())
        head_read.wait()
        at.append(now_ns())
        peer.send(chunk(b"data"))
        arrived.set()
        peer.wait_for_close()

    exchange = Exchange()
    context = server_context(ca, "127.0.0.1") if tls else None
    transport = GeventTransport(ssl_context=shared_context(str(pem)))
    with (
        ScriptedServer(script, tls=context) as server,
        httpx.Client(transport=transport, timeout=15, trust_env=False) as client,
        client.stream("GET", server.url, extensions={"exchange": exchange}) as response,
    ):
        assert exchange.lag_us is not None
        head_read.set()
        arrived.wait()
        while now_ns() < at[0] + 30_000_000:
            pass  # this generator is busy: the data waits in the kernel
        assert next(response.iter_raw()) == b"data"
        assert exchange.at_ns is not None
        assert exchange.lag_us is not None
        assert exchange.lag_us >= 25_000
        # Both sides read one clock; its steps against the kernel's are far below this tolerance.
        assert exchange.at_ns - exchange.lag_us * 1000 >= at[0] - 5_000_000


def test_without_stamps_there_is_no_lag() -> None:
    exchange = Exchange()
    transport = GeventTransport(kernel_stamps=False)
    with (
        ScriptedServer(raw(HELLO)) as server,
        httpx.Client(transport=transport, timeout=15, trust_env=False) as client,
    ):
        client.get(server.url, extensions={"exchange": exchange})
    assert exchange.at_ns is not None
    assert exchange.lag_us is None


def gone(peer: Peer) -> None:
    """Answer once, then close."""
    peer.read_request()
    peer.send(HELLO)


def gone_on_the_next(peer: Peer) -> None:
    """Answer once, and close when the next request comes: as if both had crossed on the way."""
    gone(peer)
    peer.read_request()


def reset_on_the_next(peer: Peer) -> None:
    """The same with RST."""
    gone_on_the_next(peer)
    peer.reset()


def test_a_connection_closed_while_idle_is_not_used(client: httpx.Client) -> None:
    with ScriptedServer(gone, raw(HELLO)) as server:
        client.get(server.url)
        server.closed.wait()
        exchange = Exchange()
        client.get(server.url, extensions={"exchange": exchange})
        assert (server.connections, exchange.resent) == (2, False)


@pytest.mark.parametrize("closing", [gone_on_the_next, reset_on_the_next])
def test_a_request_that_crossed_with_the_close_goes_off_again(client: httpx.Client, closing: Script) -> None:
    with ScriptedServer(closing, raw(HELLO)) as server:
        client.get(server.url)
        exchange = Exchange()
        response = client.post(server.url, content=b"again", extensions={"exchange": exchange})
        assert response.content == b"hello"
        assert [request.body for request in server.requests] == [b"", b"again", b"again"]
        assert exchange.resent
        assert exchange.bytes_out == sum(r.head_bytes + 5 for r in server.requests[1:])


def refuses_after(first: bytes) -> Script:
    def script(peer: Peer) -> None:
        gone_on_the_next(peer)
        peer.send(first)

    return script


@pytest.mark.parametrize(
    ("why", "scripts", "content"),
    [
        ("the answer had begun", [refuses_after(b"HTTP/1.1 2"), raw(HELLO)], b"x"),
        ("its body is gone", [gone_on_the_next, raw(HELLO)], [b"x"]),
        ("the new connection is closed, too", [gone_on_the_next, raw(close=True), raw(HELLO)], b"x"),
    ],
)
def test_a_request_is_not_sent_again_where(
    client: httpx.Client, why: str, scripts: list[Script], content: bytes | list[bytes]
) -> None:
    with ScriptedServer(*scripts) as server:
        client.get(server.url)
        with pytest.raises(httpx.TransportError):
            client.post(server.url, content=content)
        assert server.connections == len(scripts) - 1, why


def test_a_server_that_took_its_time_had_taken_the_request(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "STALE_WITHIN_NS", 0)
    with ScriptedServer(gone_on_the_next, raw(HELLO)) as server:
        client.get(server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(server.url)
        assert server.connections == 1


def test_a_fresh_connection_that_is_closed_is_an_error(client: httpx.Client) -> None:
    with (
        ScriptedServer(raw(close=True)) as server,
        pytest.raises(httpx.RemoteProtocolError, match="closed by the server before an answer"),
    ):
        client.get(server.url)


def test_an_early_refusal_of_a_long_body_is_read(client: httpx.Client) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        peer.sock.shutdown(socket.SHUT_WR)
        peer.wait_for_close()

    with ScriptedServer(script) as server:
        response = client.post(server.url, content=b"x" * 5_000_000)
        assert response.status_code == 413


def test_connection_refused(client: httpx.Client) -> None:
    with blocking_socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, but nobody listens
        with pytest.raises(httpx.ConnectError, match="connection refused"):
            client.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def silent(peer: Peer) -> None:
    peer.wait_for_close()


def deaf(peer: Peer) -> None:
    """Read nothing at all until the client gives up."""
    with gevent.Timeout(10, exception=False):
        peer.server.closed.wait()


def starts(peer: Peer) -> None:
    peer.read_request()
    peer.send(chunked_head(), chunk(b"data: a\n\n"))
    peer.wait_for_close()


@pytest.mark.parametrize(
    ("why", "script", "timeout", "error", "kind"),
    [
        ("nothing comes", silent, {"read": 0.05}, httpx.ReadTimeout, ErrorKind.TIMEOUT_FIRST_OUTPUT),
        ("nothing more comes", starts, {"read": 0.05}, httpx.ReadTimeout, ErrorKind.TIMEOUT_STALL),
        ("nobody reads", deaf, {"write": 0.05}, httpx.WriteTimeout, ErrorKind.TIMEOUT_FIRST_OUTPUT),
    ],
)
def test_timeouts(
    client: httpx.Client,
    why: str,
    script: Script,
    timeout: dict[str, float],
    error: type[Exception],
    kind: ErrorKind,
) -> None:
    exchange = Exchange()
    with ScriptedServer(script) as server:
        with pytest.raises(error, match="timed out") as caught:
            client.post(
                server.url,
                content=b"x" * 30_000_000 if "write" in timeout else b"",
                timeout=httpx.Timeout(15, **timeout),
                extensions={"exchange": exchange},
            )
        server.closed.set()
    assert explain(caught.value, exchange.step).kind is kind, why


def test_the_connect_timeout_covers_the_handshake(authority: tuple[trustme.CA, Path]) -> None:
    transport = GeventTransport(ssl_context=shared_context(str(authority[1])))
    with (
        ScriptedServer(silent) as server,
        httpx.Client(transport=transport, timeout=httpx.Timeout(15, connect=0.05)) as client,
        pytest.raises(httpx.ConnectTimeout, match="timed out while connecting"),
    ):
        client.get(server.url.replace("http:", "https:"))


def test_the_pool_timeout_bounds_the_wait_for_a_connection() -> None:
    transport = GeventTransport(max_connections=1)
    with (
        ScriptedServer(starts, raw(HELLO)) as server,
        httpx.Client(transport=transport, timeout=httpx.Timeout(15, pool=0.05)) as client,
    ):
        with client.stream("GET", server.url), pytest.raises(httpx.PoolTimeout):
            client.get(server.url)
        assert client.get(server.url).content == b"hello"


@pytest.mark.parametrize(
    ("why", "script", "error", "kind"),
    [
        (
            "fewer bytes than announced",
            raw(OK + b"Content-Length: 9\r\n\r\nhello", close=True),
            httpx.RemoteProtocolError,
            ErrorKind.TRUNCATED,
        ),
        (
            "no last chunk",
            raw(chunked_head(), chunk(b"data: a\n\n"), close=True),
            httpx.RemoteProtocolError,
            ErrorKind.TRUNCATED,
        ),
        (
            "half a head",
            raw(b"HTTP/1.1 200 OK\r\nX", close=True),
            httpx.RemoteProtocolError,
            ErrorKind.TRUNCATED,
        ),
        ("no HTTP", raw(b"SSH-2.0-OpenSSH\r\n"), httpx.RemoteProtocolError, ErrorKind.PROTOCOL),
        (
            "broken chunks",
            raw(chunked_head(), b"zz\r\n"),
            httpx.RemoteProtocolError,
            ErrorKind.PROTOCOL,
        ),
        (
            "another protocol",
            raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            httpx.RemoteProtocolError,
            ErrorKind.PROTOCOL,
        ),
        (
            "a head without end",
            raw(OK, *[b"X-Fill: " + b"x" * 8000 + b"\r\n"] * (HEAD_LIMIT_BYTES // 8000 + 1)),
            httpx.RemoteProtocolError,
            ErrorKind.PROTOCOL,
        ),
    ],
)
def test_broken_answers(
    client: httpx.Client, why: str, script: Script, error: type[Exception], kind: ErrorKind
) -> None:
    exchange = Exchange()
    with ScriptedServer(script) as server, pytest.raises(error) as caught:
        client.get(server.url, extensions={"exchange": exchange})
    assert explain(caught.value, exchange.step).kind is kind, why


def test_a_reset_in_the_middle(client: httpx.Client) -> None:
    read_it = Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(chunked_head(), chunk(b"data: a\n\n"))
        read_it.wait()
        peer.reset()

    exchange = Exchange()
    with (
        ScriptedServer(script) as server,
        client.stream("GET", server.url, extensions={"exchange": exchange}) as response,
    ):
        pieces = response.iter_raw()
        assert next(pieces) == b"data: a\n\n"
        read_it.set()
        with pytest.raises(httpx.ReadError) as caught:
            next(pieces)
    assert explain(caught.value, exchange.step).kind is ErrorKind.TRUNCATED


def test_who_is_killed_closes_the_connection(client: httpx.Client) -> None:
    reading = Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        reading.set()
        peer.wait_for_close()

    with ScriptedServer(script) as server:
        user = gevent.spawn(client.get, server.url)
        reading.wait()
        user.kill()
        server.closed.wait()


def test_an_answer_not_read_to_its_end_closes_the_connection(client: httpx.Client) -> None:
    with ScriptedServer(starts) as server:
        with client.stream("GET", server.url) as response:
            next(response.iter_raw())
        server.closed.wait()
        with pytest.raises(httpx.StreamClosed):
            next(iter(response.stream))


def test_close_closes_idle_connections(client: httpx.Client) -> None:
    with ScriptedServer(respond(b"x")) as server:
        client.get(server.url)
        assert not server.closed.is_set()
        client.close()
        server.closed.wait()


def test_a_request_may_ask_for_the_close(client: httpx.Client) -> None:
    with ScriptedServer(raw(HELLO)) as server:
        client.get(server.url, headers={"Connection": "close"})
        server.closed.wait()


def test_two_greenlets_use_two_connections(client: httpx.Client) -> None:
    with ScriptedServer(respond(b"x", times=9)) as server:
        jobs = [gevent.spawn(client.get, server.url) for _ in range(2)]
        gevent.joinall(jobs, raise_error=True)
        assert server.connections == 2
        client.get(server.url)
        assert server.connections == 2


def has_ipv6() -> bool:
    try:
        with blocking_socket.socket(blocking_socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")
def test_ipv6(client: httpx.Client) -> None:
    with ScriptedServer(raw(HELLO), host="::1") as server:
        assert client.get(server.url).content == b"hello"
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize("names", [("127.0.0.1",), ("localhost",)])
def test_tls(authority: tuple[trustme.CA, Path], names: tuple[str, ...]) -> None:
    ca, pem = authority
    transport = GeventTransport(ssl_context=shared_context(str(pem)))
    big = b"x" * 200_000
    answer = OK + b"Content-Length: 200000\r\n\r\n" + big
    exchange = Exchange()
    with (
        ScriptedServer(raw(answer, times=3), tls=server_context(ca, *names)) as server,
        httpx.Client(transport=transport, timeout=15, trust_env=False) as client,
    ):
        url = server.url.replace("127.0.0.1", names[0])
        for _ in range(3):
            exchange = Exchange()
            response = client.post(url, content=big, extensions={"exchange": exchange})
            assert response.content == big
        assert server.connections == 1
        assert server.requests[0].body == big
    assert exchange.bytes_in > len(answer)
    assert exchange.bytes_out > len(big)
    assert exchange.lag_us is not None or not LINUX


def test_tls_ends_of_connections(authority: tuple[trustme.CA, Path]) -> None:
    ca, pem = authority
    transport = GeventTransport(ssl_context=shared_context(str(pem)))

    def rude(peer: Peer) -> None:
        """A body until the close, without TLS' goodbye."""
        peer.read_request()
        peer.send(OK + b"\r\nhello")
        socket.socket(fileno=peer.sock.detach()).close()

    polite = raw(OK + b"\r\nhello", close=True)
    with (
        ScriptedServer(polite, rude, gone, raw(HELLO), tls=server_context(ca, "127.0.0.1")) as server,
        httpx.Client(transport=transport, timeout=15, trust_env=False) as client,
    ):
        for _ in range(3):
            assert client.get(server.url).content == b"hello"
        server.wait_finished(3)
        assert client.get(server.url).content == b"hello"
        assert server.connections == 4


@pytest.mark.parametrize(
    ("why", "trusted", "names", "said"),
    [
        ("an authority we do not know", False, ("127.0.0.1",), "certificate not trusted: "),
        (
            "another host's certificate",
            True,
            ("example.org",),
            "certificate not trusted: ip address mismatch",
        ),
        ("no TLS at all", True, None, "TLS failed: wrong version number"),
    ],
)
def test_tls_failures(
    authority: tuple[trustme.CA, Path], why: str, trusted: bool, names: tuple[str, ...] | None, said: str
) -> None:
    ca, pem = authority
    context = server_context(ca, *names) if names else None
    transport = GeventTransport(ssl_context=shared_context(str(pem) if trusted else None))

    def script(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    exchange = Exchange()
    with (
        ScriptedServer(script, tls=context) as server,
        httpx.Client(transport=transport, timeout=15, trust_env=False) as client,
        pytest.raises(httpx.ConnectError) as caught,
    ):
        client.get(f"https://127.0.0.1:{server.port}", extensions={"exchange": exchange})
    failure = explain(caught.value, exchange.step)
    assert failure.kind is ErrorKind.TLS
    assert failure.detail.startswith(said), why


def test_one_context_per_authority(authority: tuple[trustme.CA, Path]) -> None:
    pem = str(authority[1])
    assert shared_context(pem) is shared_context(pem)
    assert shared_context(pem) is not shared_context()
    assert shared_context(pem).verify_mode is ssl.CERT_REQUIRED


def test_the_environment_names_no_proxy_for_us(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer(raw(HELLO)) as server:
        assert client.get(server.url).content == b"hello"


def test_the_clock_of_the_stamps_is_the_kernels() -> None:
    assert abs(now_ns() - time.time_ns()) < 1_000_000_000
