"""The API client against small scripted servers: what ends up in the record, and what a bad target says."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gevent
import pytest
import trustme
from gevent import socket
from gevent.event import Event

from glm_locust.config import ApiTarget, Deadlines, Secret
from glm_locust.errors import ConfigError
from glm_locust.records import ErrorKind, LagKind, Measurement, Outcome, Phase, RequestRecord, TokenSource
from glm_locust.transport.clock import now_ns
from glm_locust.users.api_client import ApiClient
from glm_locust.users.api_server import ApiServer
from glm_locust.workload.prompt import Image, Prompt
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

CAPTURES = Path(__file__).parents[1] / "captures" / "sse"
QUESTION = Prompt("describe", "What is this?", (Image(b"\x89PNG" * 90, "image/png", 8, 8, "a.png"),))
KEY = "sk-very-secret-4711"


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with patience():
        yield


def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    body = {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


ROLE = event({"role": "assistant", "content": ""})
HELLO = event({"content": "Hello"})
STOP = event({}, "stop")
USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"
ANSWER = (ROLE, HELLO, event({"content": " there"}), STOP, USAGE, DONE)


def new_measurement(prompt: Prompt = QUESTION) -> Measurement:
    return Measurement(
        path="api", task=prompt.task, phase=Phase.MEASURE, prompt_id=prompt.prompt_id, scheduled_ns=now_ns()
    )


def sealed(measurement: Measurement) -> RequestRecord:
    return measurement.seal(run_id="r", worker_id="w", seq=1)


def ask(client: ApiClient, prompt: Prompt = QUESTION) -> RequestRecord:
    measurement = new_measurement(prompt)
    client.ask(prompt, measurement)
    return sealed(measurement)


def ask_once(script: Script, prompt: Prompt = QUESTION, **options: Any) -> RequestRecord:
    with ScriptedServer(script) as server:
        client = ApiClient(ApiTarget(server.url, **options))
        try:
            return ask(client, prompt)
        finally:
            client.close()


def test_an_answer_in_the_record() -> None:
    asked, answered = Event(), Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(chunked_head(), chunk(ROLE))
        asked.set()
        answered.wait()
        peer.send(*(chunk(part) for part in ANSWER[1:]), LAST_CHUNK)
        peer.wait_for_close()

    with ScriptedServer(script) as server:
        client = ApiClient(ApiTarget(server.url, model="glm", max_tokens=5, headers={"X-Mine": "1"}))
        measurement = new_measurement()
        user = gevent.spawn(client.ask, QUESTION, measurement)
        asked.wait()
        role_sent_ns = now_ns()
        answered.set()
        user.get()
        (request,) = server.requests
        client.close()
    record = sealed(measurement)
    body = json.loads(request.body)
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert (body["model"], body["max_tokens"], body["stream"]) == ("glm", 5, True)
    assert request.headers["x-mine"] == "1"
    assert request.headers["accept-encoding"] == "identity"
    assert "authorization" not in request.headers

    assert (record.outcome, record.error_kind, record.http_status) == (Outcome.OK, None, 200)
    assert (record.prompt_tokens, record.output_tokens, record.token_source) == (9, 2, TokenSource.USAGE)
    assert (record.output_chars, record.upstream_id, record.streamed) == (11, "c1", True)
    assert len(record.output_gaps_us) == 1
    assert record.first_token_ns is not None
    assert record.first_token_ns >= role_sent_ns
    assert record.first_output_ns == record.first_token_ns
    instants = (
        record.scheduled_ns,
        record.submitted_ns,
        record.accepted_ns,
        record.first_token_ns,
        record.last_output_ns,
        record.finished_ns,
    )
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(instants))
    assert record.sent_ns == record.submitted_ns
    assert record.bytes_out == request.head_bytes + len(request.body)
    assert record.image_bytes_out == len(body["messages"][0]["content"][0]["image_url"]["url"])
    assert record.bytes_in == len(chunked_head() + b"".join(chunk(part) for part in ANSWER) + LAST_CHUNK)
    assert (record.lag_kind is LagKind.KERNEL) == (record.first_token_lag_us is not None)


def replay(capture: Path) -> Script:
    reads = [json.loads(line)["raw"].encode("latin-1") for line in capture.read_text().splitlines()[1:]]

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(*reads)

    return script


@pytest.mark.parametrize("capture", sorted(CAPTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_recorded_servers(capture: Path) -> None:
    record = ask_once(replay(capture))
    failed = "_err_" in capture.stem
    assert record.outcome is (Outcome.FAILED if failed else Outcome.OK), record.error_detail
    assert record.streamed is not capture.stem.endswith("_nonstream")
    silent = failed or capture.stem in {"vllm_max_tokens_1", "vllm_include_reasoning_false"}
    assert (record.first_token_ns is None) == silent
    assert record.http_status is not None
    assert record.finished_ns > (record.first_token_ns or 0) - 1


def sends(*pieces: bytes, then: Callable[[Peer], None] = Peer.wait_for_close) -> Script:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(*pieces)
        then(peer)

    return script


def trickles(peer: Peer) -> None:
    """Comments for ever: bytes, but no text."""
    while True:
        peer.send(chunk(b": ping\n\n"))
        gevent.idle()


def trickles_text(peer: Peer) -> None:
    while True:
        peer.send(chunk(HELLO))
        gevent.idle()


def trickles_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        peer.send(b"X-%d: 1\r\n" % number)
        peer.server.closed.wait(0.02)


def nothing(_: Peer) -> None:
    pass


FAST = Deadlines(connect_s=5, first_output_s=5, stall_s=5, total_s=5)
HEAD = chunked_head()


@pytest.mark.parametrize(
    ("why", "script", "options", "kind", "detail"),
    [
        (
            "no byte comes",
            sends(),
            {"deadlines": Deadlines(first_output_s=0.1)},
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            "no text came within 0.1 s (deadline first_output_s)",
        ),
        (
            "headers trickle",
            trickles_headers,
            {"deadlines": Deadlines(first_output_s=0.1)},
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            "no text came within 0.1 s (deadline first_output_s)",
        ),
        (
            "the role is no text",
            sends(HEAD, chunk(ROLE)),
            {"deadlines": Deadlines(first_output_s=0.1)},
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            "no text came within 0.1 s (deadline first_output_s)",
        ),
        (
            "comments are no text",
            sends(HEAD, then=trickles),
            {"deadlines": Deadlines(first_output_s=0.1)},
            ErrorKind.TIMEOUT_FIRST_OUTPUT,
            "no text came within 0.1 s (deadline first_output_s)",
        ),
        (
            "no second text",
            sends(HEAD, chunk(HELLO)),
            {"deadlines": Deadlines(stall_s=0.1)},
            ErrorKind.TIMEOUT_STALL,
            "no further text came within 0.1 s (deadline stall_s)",
        ),
        (
            "no second text, but comments",
            sends(HEAD, chunk(HELLO), then=trickles),
            {"deadlines": Deadlines(stall_s=0.1)},
            ErrorKind.TIMEOUT_STALL,
            "no further text came within 0.1 s (deadline stall_s)",
        ),
        (
            "no end, whatever comes",
            sends(HEAD, then=trickles_text),
            {"deadlines": Deadlines(total_s=0.2)},
            ErrorKind.TIMEOUT_TOTAL,
            "the answer did not end within 0.2 s (deadline total_s)",
        ),
        (
            "the connection is closed",
            sends(then=nothing),
            {},
            ErrorKind.CONNECT,
            "connection closed by the server",
        ),
        ("it breaks off", sends(HEAD, chunk(HELLO), then=nothing), {}, ErrorKind.TRUNCATED, "in the middle"),
        (
            "it breaks off hard",
            sends(HEAD, chunk(HELLO), then=Peer.reset),
            {},
            ErrorKind.TRUNCATED,
            "in the middle",
        ),
        (
            "it ends without end",
            sends(HEAD, chunk(HELLO), LAST_CHUNK),
            {},
            ErrorKind.TRUNCATED,
            "finish_reason",
        ),
        ("no HTTP", sends(b"hello\r\n\r\n"), {}, ErrorKind.PROTOCOL, "not an HTTP answer"),
        ("garbage", sends(HEAD, chunk(b"data: {x\n\n")), {}, ErrorKind.PROTOCOL, "not JSON: {x"),
        (
            "an error in the stream",
            respond(HELLO, b'data: {"error": "oom"}\n\n'),
            {},
            ErrorKind.SERVER_ERROR,
            "oom",
        ),
        ("an empty answer", respond(ROLE, STOP, DONE), {}, ErrorKind.EMPTY, "neither text nor"),
        (
            "429",
            respond(b'{"error":{"message":"queue full"}}', status="429 Too Many"),
            {},
            ErrorKind.REJECTED,
            "queue full",
        ),
        ("503", respond(b"later", status="503 Busy"), {}, ErrorKind.REJECTED, "HTTP status 503: later"),
        ("500", respond(b"oops", status="500 Error"), {}, ErrorKind.HTTP_STATUS, "HTTP status 500: oops"),
    ],
)
def test_faults_of_the_server(
    why: str, script: Script, options: dict[str, Any], kind: ErrorKind, detail: str
) -> None:
    record = ask_once(script, **{"deadlines": FAST, **options})
    assert (record.outcome, record.error_kind) == (Outcome.FAILED, kind), f"{why}: {record.error_detail}"
    assert detail in (record.error_detail or ""), why
    assert record.finished_ns - record.scheduled_ns < 5_000_000_000


def test_statuses_are_kept() -> None:
    assert ask_once(respond(b"", status="429 Too Many")).http_status == 429


def test_a_refused_connection() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        client = ApiClient(ApiTarget(f"http://127.0.0.1:{sock.getsockname()[1]}"))
        record = ask(client)
    assert (record.error_kind, record.error_detail) == (
        ErrorKind.CONNECT,
        "connection refused while connecting",
    )
    assert (record.sent_ns, record.submitted_ns, record.image_bytes_out) == (None, None, 0)


def test_a_wrong_answer() -> None:
    prompt = Prompt("ocr", "What does it say?", expected="87")
    record = ask_once(respond(*ANSWER), prompt)
    assert record.error_kind is ErrorKind.WRONG_ANSWER
    assert record.answer_digest is not None


def test_an_answer_in_one_body_is_flagged() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hello"}}], "usage": {"completion_tokens": 1}})
    record = ask_once(respond(body[:20].encode(), body[20:].encode(), content_type="application/json"))
    assert (record.outcome, record.streamed, record.output_chars) == (Outcome.OK, False, 5)
    assert record.first_token_ns == record.finished_ns


def test_a_compressed_answer_is_read_all_the_same() -> None:
    import gzip

    body = gzip.compress(b"".join(ANSWER))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    record = ask_once(sends(head + body))
    assert (record.outcome, record.output_chars) == (Outcome.OK, 11)


def test_a_broken_coding_is_a_fault_of_the_server() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"
    record = ask_once(sends(head))
    assert record.error_kind is ErrorKind.PROTOCOL


def test_connections_are_kept_between_questions() -> None:
    with ScriptedServer(respond(*ANSWER, times=3)) as server:
        client = ApiClient(ApiTarget(server.url))
        assert [ask(client).outcome for _ in range(3)] == [Outcome.OK] * 3
        assert server.connections == 1
        client.close()


def test_a_response_that_does_not_end_with_its_answer_is_not_waited_for() -> None:
    with ScriptedServer(sends(HEAD, *(chunk(part) for part in ANSWER)), respond(*ANSWER)) as server:
        client = ApiClient(ApiTarget(server.url))
        record = ask(client)
        assert record.outcome is Outcome.OK
        server.wait_finished(1)
        assert ask(client).outcome is Outcome.OK
        assert server.connections == 2


def test_a_killed_user_cancels_its_question() -> None:
    reading = Event()

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(HEAD, chunk(HELLO))
        reading.set()
        peer.wait_for_close()

    with ScriptedServer(script) as server:
        client = ApiClient(ApiTarget(server.url))
        measurement = new_measurement()
        user = gevent.spawn(client.ask, QUESTION, measurement)
        reading.wait()
        user.kill()
        server.closed.wait()
    record = sealed(measurement)
    assert isinstance(user.value, gevent.GreenletExit)
    assert (record.outcome, record.error_kind) == (Outcome.CANCELLED, ErrorKind.RUN_ENDED)
    assert record.submitted_ns is not None


def test_the_body_can_be_built_before_the_clock_starts() -> None:
    with ScriptedServer(respond(*ANSWER, times=2)) as server:
        client = ApiClient(ApiTarget(server.url))
        other = Prompt("ocr", "Another question")
        client.prepare(QUESTION)
        assert ask(client).outcome is Outcome.OK
        client.prepare(QUESTION)
        assert ask(client, other).outcome is Outcome.OK
        contents = [json.loads(request.body)["messages"][0]["content"] for request in server.requests]
    assert contents[0][1]["text"] == QUESTION.text
    assert contents[1] == other.text


def test_a_reader_gets_the_text_as_it_comes() -> None:
    texts: list[str] = []
    with ScriptedServer(respond(event({"reasoning": "Hm"}), *ANSWER)) as server:
        client = ApiClient(ApiTarget(server.url), on_text=texts.append)
        ask(client)
        client.close()
    assert texts == ["Hello", " there"]


def test_no_secret_reaches_a_record(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    said = f'{{"error": "wrong key {KEY} or header hidden-value"}}'.encode()
    with ScriptedServer(respond(said, status="401 Unauthorized", content_type="application/json")) as server:
        target = ApiTarget(
            server.url, api_key=Secret(file=str(tmp_path / "key")), headers={"X-A": "hidden-value"}
        )
        client = ApiClient(target)
        record = ask(client)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        client.close()
    assert record.error_detail == "HTTP status 401: wrong key *** or header ***"


# --- what a target must be -------------------------------------------------------------------


def api(
    models: tuple[int, bytes] = (200, b'{"data": [{"id": "glm"}, {"id": "other"}]}'),
    chat: tuple[int, bytes] = (422, b'{"detail": "Field required"}'),
    content_type: str = "application/json",
) -> Script:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            status, body = models if request.target == "/v1/models" else chat
            peer.send(chunked_head(content_type, f"{status} X"), chunk(body), LAST_CHUNK)

    return script


@pytest.mark.parametrize(
    ("why", "script", "wanted", "model"),
    [
        ("the first one listed", api(), None, "glm"),
        ("the one asked for", api(), "other", "other"),
        ("none where none is listed", api((200, b'{"data": []}')), None, None),
        ("the one asked for where none is listed", api((200, b'{"data": []}')), "mine", "mine"),
        ("none where there is no list", api((404, b'{"detail": "Not Found"}')), None, None),
        ("none where the list is broken", api((500, b"oops")), None, None),
    ],
)
def test_which_model_is_asked_for(why: str, script: Script, wanted: str | None, model: str | None) -> None:
    with ScriptedServer(script) as server:
        assert ApiServer(ApiTarget(server.url, model=wanted)).model() == model, why


def test_the_server_is_asked_once_for_all_users() -> None:
    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target == "/v1/models":
                peer.send(chunked_head("application/json"), chunk(b'{"data": [{"id": "glm"}]}'), LAST_CHUNK)
            elif request.body == b"{}":
                peer.send(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
            else:
                peer.send(chunked_head(), *(chunk(part) for part in ANSWER), LAST_CHUNK)

    with ScriptedServer(script) as server:
        target = ApiTarget(server.url)
        shared = ApiServer(target)
        clients = [ApiClient(target, server=shared) for _ in range(5)]
        gevent.joinall([gevent.spawn(client.check) for client in clients], raise_error=True)
        assert len(server.requests) == 2
        assert ask(clients[4]).outcome is Outcome.OK
        assert json.loads(server.requests[-1].body)["model"] == "glm"
        for client in clients:
            client.close()


@pytest.mark.parametrize(
    ("why", "script", "options", "said"),
    [
        ("a wrong model", api(), {"model": "nope"}, "model 'nope' is not served; served: glm, other"),
        (
            "many models",
            api((200, json.dumps({"data": [{"id": f"m{n}"} for n in range(20)]}).encode())),
            {"model": "nope"},
            "model 'nope' is not served; served: m0, m1, m2, m3, m4, m5, m6, m7 and 12 more",
        ),
        (
            "a wrong key",
            api((401, b'{"error": {"message": "Invalid key sk-very-secret-4711"}}')),
            {"api_key": Secret(env="TEST_API_KEY")},
            "the key was refused (HTTP 401: Invalid key ***)",
        ),
        (
            "no key",
            api((401, b'{"error": {"message": "Unauthorized"}}')),
            {},
            "wants a key, and none was named (HTTP 401: Unauthorized)",
        ),
        (
            "a key for questions only",
            api(chat=(403, b"")),
            {},
            "wants a key, and none was named (HTTP 403: no message)",
        ),
        (
            "a web page",
            api((200, b"<html>"), content_type="text/html"),
            {},
            "not an OpenAI-compatible server: /models is a web page (HTTP 200)",
        ),
        (
            "another API",
            api((200, b'{"hello": 1}')),
            {},
            "not an OpenAI-compatible server: no list of models at /models",
        ),
        (
            "an API without chat",
            api((404, b"{}"), (404, b"{}")),
            {},
            "not an OpenAI-compatible server: no /chat/completions (HTTP 404)",
        ),
        ("no HTTP", sends(b"SSH-2.0\r\n"), {}, "not an HTTP answer: "),
        ("an early close", sends(then=nothing), {}, "connection closed by the server before an answer came"),
        (
            "a redirect",
            sends(b"HTTP/1.1 301 Moved\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n"),
            {},
            "it redirects to https://example.org/; give the address that answers itself",
        ),
    ],
)
def test_bad_servers(
    monkeypatch: pytest.MonkeyPatch, why: str, script: Script, options: dict[str, Any], said: str
) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with ScriptedServer(script) as server:
        client = ApiClient(ApiTarget(server.url, **options))
        with pytest.raises(ConfigError) as caught:
            client.check()
        client.close()
        assert str(caught.value).startswith(f"API at {server.url}/v1: {said}"), why
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)


def test_an_unreachable_server() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"^API at {url}/v1: connection refused while connecting$"):
            ApiServer(ApiTarget(url)).model()


def test_tls(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(api(), tls=context) as server:
        assert ApiServer(ApiTarget(server.url, ca=str(tmp_path / "ca.pem"))).model() == "glm"
        with pytest.raises(ConfigError, match=r"certificate not trusted: .*; name its authority with --ca"):
            ApiServer(ApiTarget(server.url)).model()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ApiTarget("127.0.0.1:8080"), r"API URL: expected http\(s\)://host"),
        (ApiTarget("ftp://host"), r"API URL: expected http\(s\)://host"),
        (ApiTarget("http://"), r"API URL: expected http\(s\)://host"),
        (ApiTarget("http://host/?key=1"), r"API URL: expected http\(s\)://host"),
        (ApiTarget("http://me:pass@host"), "API URL: a name or password in it would be recorded"),
        (ApiTarget("http://host", api_key=Secret(env="NO_SUCH_VARIABLE")), "API key: environment variable"),
        (ApiTarget("http://host", headers={"X A": "1"}), "header: expected a name"),
        (ApiTarget("http://host", headers={"X-A": "1\r\nX-B: 2"}), "header X-A: expected one line"),
        (ApiTarget("http://host", ca="/nowhere/ca.pem"), "ca: cannot read /nowhere/ca.pem: No such file"),
        (ApiTarget("http://host", ca=__file__), "ca: .* holds no certificate"),
        (
            ApiTarget("http://host", http_client="curl"),
            "http_client: expected one of gevent, httpx, got 'curl'",
        ),
    ],
    ids=lambda value: value.url if isinstance(value, ApiTarget) else None,
)
def test_targets_that_cannot_be(target: ApiTarget, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}"):
        ApiClient(target)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://host:8080", "http://host:8080/v1"),
        ("http://host:8080/", "http://host:8080/v1"),
        ("http://host/v1", "http://host/v1"),
        ("http://host/v1/", "http://host/v1"),
        ("https://host/prefix", "https://host/prefix/v1"),
        ("https://host/api/paas/v4", "https://host/api/paas/v4"),
        ("http://host/v1/chat/completions", "http://host/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
    ],
)
def test_base_urls(url: str, base: str) -> None:
    assert ApiServer(ApiTarget(url)).base_url == base


# --- stock httpx -----------------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.targets.append(self.path)
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(b"".join(ANSWER))))
        self.end_headers()
        self.wfile.write(b"".join(ANSWER))

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def threaded_server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server in a thread: stock httpx blocks the hub where nothing is monkey-patched."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.targets = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_stock_httpx(threaded_server: http.server.ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{threaded_server.server_port}"
    client = ApiClient(ApiTarget(url, http_client="httpx"))
    record = ask(client)
    client.close()
    assert (record.outcome, record.output_chars, record.output_tokens) == (Outcome.OK, 11, 2)
    assert record.lag_kind is LagKind.NONE
    assert record.submitted_ns is not None
    assert record.accepted_ns is not None
    assert record.scheduled_ns <= record.submitted_ns <= record.accepted_ns <= record.finished_ns
    assert record.bytes_out > record.image_bytes_out > 0
    assert record.bytes_in == len(b"".join(ANSWER))


def test_stock_httpx_goes_through_the_environments_proxy(
    threaded_server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{threaded_server.server_port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    client = ApiClient(ApiTarget("http://model.example:8080", http_client="httpx"))
    assert ask(client).outcome is Outcome.OK
    client.close()
    assert threaded_server.targets == ["http://model.example:8080/v1/chat/completions"]


def test_stock_httpx_names_the_same_failures() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        record = ask(ApiClient(ApiTarget(url, http_client="httpx")))
    assert (record.error_kind, record.error_detail) == (
        ErrorKind.CONNECT,
        "connection refused while connecting",
    )
