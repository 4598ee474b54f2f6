"""A simulated user does what a browser does: headers, cookies, logins, TLS, files, timers, a blur."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from glm_locust.config import Secret, WebTarget
from glm_locust.errors import ConfigError
from glm_locust.records import Measurement, Outcome, Phase
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.workload import Workload
from glm_locust.workload.prompt import Image, Prompt
from tests.users.pages import PageServer, page_server

pytestmark = pytest.mark.servers

COOKIE_SECRET = "a-secret-of-the-server-in-this-test"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("person")


@pytest.fixture(scope="module")
def who(workdir: Path) -> Iterator[PageServer]:
    options = ("--server.trustedUserHeaders", json.dumps({"X-Forwarded-User": "mail"}))
    env = {"STREAMLIT_SERVER_COOKIE_SECRET": COOKIE_SECRET}
    with page_server("who", workdir, options=options, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def steps(workdir: Path) -> Iterator[PageServer]:
    with page_server("steps", workdir) as server:
        yield server


@pytest.fixture(scope="module")
def gallery(workdir: Path) -> Iterator[PageServer]:
    with page_server("gallery/Home", workdir, base_path="base") as server:
        yield server


@pytest.fixture
def clients() -> Iterator[Any]:
    opened: list[StreamlitClient] = []

    def open_client(url: str, **target: Any) -> StreamlitClient:
        opened.append(StreamlitClient(WebTarget(url, **target)))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def answer(client: StreamlitClient, text: str, images: tuple[Image, ...] = ()) -> str:
    measurement = Measurement(
        path="web", task="t", phase=Phase.MEASURE, prompt_id="p", scheduled_ns=now_ns(), images=len(images)
    )
    client.ask(Prompt("t", text, images), measurement)
    ended = measurement.ended
    assert ended is not None
    assert (ended.outcome, ended.detail) == (Outcome.OK, None)
    return ended.text


def told(client: StreamlitClient) -> dict[str, str]:
    text = answer(client, "Who am I?")
    return dict(part.split("=", 1) for part in text.split("; "))


class TestIdentity:
    def test_origin_and_address_are_the_page_s(self, who: PageServer, clients: Any) -> None:
        found = told(clients(who.url))
        assert found["origin"] == who.url.rstrip("/")
        assert found["url"].rstrip("/") == who.url.rstrip("/")
        assert found["header"] == found["cookie"] == found["login"] == "None"

    def test_headers_also_trusted_ones(self, who: PageServer, clients: Any) -> None:
        found = told(clients(who.url, headers={"X-Forwarded-User": "ada@example.org"}))
        assert found["header"] == found["trusted"] == "ada@example.org"

    def test_given_cookies(self, who: PageServer, clients: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_COOKIE", "replica-7")
        assert (
            told(clients(who.url, cookies={"affinity": Secret(env="TEST_COOKIE")}))["cookie"] == "replica-7"
        )

    def test_a_login_by_its_cookie(
        self, who: PageServer, clients: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from itsdangerous import URLSafeTimedSerializer

        payload = {"origin": who.url.rstrip("/"), "is_logged_in": True, "email": "ada@example.org"}
        signer = URLSafeTimedSerializer(COOKIE_SECRET, salt="_streamlit_user")
        monkeypatch.setenv("TEST_LOGIN", signer.dumps(json.dumps(payload)))
        found = told(clients(who.url, cookies={"_streamlit_user": Secret(env="TEST_LOGIN")}))
        assert (found["login"], found["logged_in"]) == ("ada@example.org", "True")


def test_tls_with_an_authority_of_one_s_own(workdir: Path, clients: Any) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(workdir / "ca.pem"))
    issued.private_key_pem.write_to_path(str(workdir / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(workdir / "cert.pem"))
    options = (
        "--server.sslCertFile",
        str(workdir / "cert.pem"),
        "--server.sslKeyFile",
        str(workdir / "key.pem"),
    )
    with page_server("form", workdir, options=options, scheme="https") as server:
        client = clients(server.url, ca=str(workdir / "ca.pem"))
        client.check(images=1)
        text = answer(
            client, "through TLS [n=3]", (Image(b"\x89PNG" + bytes(60), "image/png", 8, 8, "i.png"),)
        )
        assert text.startswith("sizes=64 ")
        with pytest.raises(ConfigError, match="certificate"):
            clients(server.url).check()


class TestBlur:
    @pytest.mark.parametrize(("blur", "seen"), [(True, "True"), (False, "False")])
    def test_the_text_is_seen_before_the_button_by_option(
        self, steps: PageServer, clients: Any, blur: bool, seen: str
    ) -> None:
        client = clients(steps.url, blur_rerun=blur)
        first, second = (answer(client, f"hello {number} [n=3]") for number in range(2))
        assert [re.findall(r"seen=(\w+)", text) for text in (first, second)] == [[seen], [seen]]
        assert re.findall(r"runs=(\d+)", first + second) == (["3", "5"] if blur else ["2", "3"])


class TestRefreshing:
    @pytest.mark.parametrize("auto_rerun", [True, False])
    def test_fragments_run_by_option(self, gallery: PageServer, clients: Any, auto_rerun: bool) -> None:
        client = clients(gallery.url, page="refreshing", auto_rerun=auto_rerun)
        client.open()

        def seen() -> int:
            (text,) = [
                node.content.body
                for node in client.session.page
                if node.kind == "markdown" and node.content.body.startswith("Seen")
            ]
            return int(re.findall(r"\d+", text)[0])

        begun = seen()
        until_ns = now_ns() + 20_000_000_000
        while auto_rerun and seen() < begun + 3 and now_ns() < until_ns:
            client.idle(0.1)
        if not auto_rerun:
            client.idle(1.0)
        assert seen() >= begun + 3 if auto_rerun else seen() == begun


class TestFiles:
    def test_the_page_s_own_files_and_the_media_of_an_answer(self, gallery: PageServer, clients: Any) -> None:
        image = Workload(seed=3, size=128, image_format="png").prompt("describe", 0).images[0]
        client = clients(gallery.url, page="upload_answers", load_assets=True)
        client.check(images=1)
        (page,) = client.loads
        assert (page.what, page.failed) == ("page", 0)
        assert page.files > 2
        assert page.bytes_in > 100_000
        # The gallery has no model here: the picture is shown all the same, and a browser loads it.
        measurement = Measurement(
            path="web", task="t", phase=Phase.MEASURE, prompt_id="p", scheduled_ns=now_ns(), images=1
        )
        client.ask(Prompt("t", "", (image,)), measurement)
        media = client.loads[-1]
        assert (media.what, media.files, media.failed) == ("media", 1, 0)
        assert media.bytes_in > 1000
        client.close()

    def test_none_without_the_option(self, gallery: PageServer, clients: Any) -> None:
        client = clients(gallery.url, page="rag")
        client.check()
        assert list(client.loads) == []
