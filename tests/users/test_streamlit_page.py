"""What stands where a page should be, and what it is called."""

import pytest

from glm_locust.config import Deadlines, Secret, WebTarget
from glm_locust.errors import ConfigError
from glm_locust.records import ErrorKind
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.users.streamlit_page import PageFaultError, StreamlitPage
from tests.servers.scripted import Peer, Script, ScriptedServer

LOGIN = b'<html><title>Jupyter Server</title><form><input type="password"></form></html>'


def answering(status: str, body: bytes = b"", *headers: str) -> Script:
    def script(peer: Peer) -> None:
        while peer.read_request() is not None:
            lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
            peer.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return script


@pytest.mark.parametrize(
    ("script", "kind", "says"),
    [
        (
            answering("200 OK", b"<html>hi</html>"),
            ErrorKind.PROTOCOL,
            "something answers, but it is no Streamlit",
        ),
        (answering("200 OK", LOGIN), ErrorKind.HTTP_STATUS, "Jupyter shows its login page; no Jupyter token"),
        (answering("302 Found", b"", "Location: /"), ErrorKind.PROTOCOL, "more than 10 redirections"),
        (answering("403 Forbidden"), ErrorKind.HTTP_STATUS, "refused with HTTP status 403; no Jupyter token"),
        (answering("404 Not Found"), ErrorKind.HTTP_STATUS, "no Streamlit page there: HTTP status 404"),
        (answering("503 Service Unavailable"), ErrorKind.REJECTED, "the page is not ready: HTTP status 503"),
        (lambda peer: peer.send(b"SSH-2.0-OpenSSH_9.2\r\n"), ErrorKind.PROTOCOL, "not an HTTP answer"),
        (lambda peer: peer.reset(), ErrorKind.CONNECT, "connection reset by the server"),
        (lambda peer: peer.wait_for_close(), ErrorKind.TIMEOUT_FIRST_OUTPUT, "timed out"),
    ],
)
def test_what_is_no_page(script: Script, kind: ErrorKind, says: str) -> None:
    with ScriptedServer(script) as server:
        page = StreamlitPage(WebTarget(server.url, deadlines=Deadlines(connect_s=0.5)))
        with pytest.raises(PageFaultError, match=says) as caught:
            page.connect("", ())
        page.close()
    assert caught.value.kind is kind


def test_another_server_never_sees_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "token-123456")
    with ScriptedServer(answering("200 OK", b"ok")) as other:
        with ScriptedServer(answering("302 Found", b"", f"Location: {other.url}/login")) as server:
            client = StreamlitClient(
                WebTarget(server.url, jupyter_token=Secret(env="TEST_TOKEN"), headers={"X-Key": "key-123456"})
            )
            with pytest.raises(ConfigError, match=f"sends its visitors to {other.url}"):
                client.check()
            client.close()
        assert server.requests[0].headers["authorization"] == "token token-123456"
        assert server.requests[0].headers["x-key"] == "key-123456"
        assert other.connections == 0


def test_what_the_server_echoes_of_a_secret_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "token-123456")
    with ScriptedServer(answering("200 OK", b"hello token-123456")) as server:
        client = StreamlitClient(WebTarget(server.url, jupyter_token=Secret(env="TEST_TOKEN")))
        with pytest.raises(ConfigError, match=r"says 'hello \*\*\*'"):
            client.check()
        client.close()


@pytest.mark.parametrize(
    "target",
    [
        WebTarget("http://page.example/", headers={"X-Key": "a\r\nX-Other: b"}),
        WebTarget("http://page.example/", headers={"X-Key": "ключ"}),
        WebTarget("http://page.example/", jupyter_token=Secret(env="TEST_TOKEN")),
    ],
)
def test_secrets_that_no_header_can_carry(target: WebTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "a\x01b")
    with pytest.raises(ConfigError, match="holds what no header can carry") as caught:
        StreamlitPage(target)
    assert "a\x01b" not in str(caught.value)


def test_a_refused_upload_is_quoted() -> None:
    from glm_locust.protocols import HttpPut
    from glm_locust.transport.exchange import Exchange

    with ScriptedServer(answering("403 Forbidden", b"XSRF cookie\ndoes not match")) as server:
        page = StreamlitPage(WebTarget(server.url))
        with pytest.raises(
            PageFaultError, match="upload refused with HTTP status 403: XSRF cookie does"
        ) as caught:
            page.upload(HttpPut("/_stcore/upload_file/s/f", b"data"), Exchange(), 5)
        page.close()
    assert (caught.value.kind, caught.value.status) == (ErrorKind.HTTP_STATUS, 403)
