"""The port for scrapers: how it is asked for, and who is let in."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from glm_locust.config import MetricsPort, Scenario, Secret, load_scenario
from glm_locust.errors import ConfigError
from glm_locust.exposition import Format
from glm_locust.plugin.prometheus import MetricsServer, serve
from tests.plugin.team import free_port

BODY = b"up 1\n"


def page(accept: str) -> tuple[str, bytes]:
    return Format.TEXT.value, BODY


def scenario(tmp_path: Path, text: str) -> Scenario:
    file = tmp_path / "s.toml"
    file.write_text(text)
    return load_scenario(file)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":9646", "127.0.0.1", 9646),
        ("127.0.0.1:9646", "127.0.0.1", 9646),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("[::1]:9646", "::1", 9646),
        ("metrics.example:1", "metrics.example", 1),
    ],
)
def test_where_to_listen(text: str, host: str, port: int) -> None:
    assert Scenario().merge({"prometheus": text}).prometheus == MetricsPort(host, port)


def test_nothing_is_served_unless_told() -> None:
    assert Scenario().prometheus is None


def test_a_table_and_words_say_the_same(tmp_path: Path) -> None:
    by_table = scenario(
        tmp_path,
        '[prometheus]\nlisten = ":9646"\ncert = "c.pem"\nkey = "k.pem"\nauth_env = "SCRAPER"\n',
    )
    by_words = scenario(
        tmp_path,
        'prometheus = ":9646"\nprometheus_cert = "c.pem"\nprometheus_key = "k.pem"\n'
        'prometheus_auth_env = "SCRAPER"\n',
    )
    folder = str(tmp_path)
    assert by_table.prometheus == by_words.prometheus
    assert by_table.prometheus == MetricsPort(
        "127.0.0.1", 9646, f"{folder}/c.pem", f"{folder}/k.pem", Secret("SCRAPER")
    )
    moved = by_table.merge({"prometheus": ":1", "prometheus_auth_file": "f"})
    assert moved.prometheus == MetricsPort(
        "127.0.0.1", 1, f"{folder}/c.pem", f"{folder}/k.pem", Secret(None, "f")
    )
    assert Scenario.from_message(moved.to_message()) == moved
    assert "prometheus" not in moved.to_workload_dict()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"prometheus": "9646"}, r"--prometheus: expected HOST:PORT like .*, got \"9646\""),
        ({"prometheus": ":0"}, "--prometheus: expected HOST:PORT"),
        ({"prometheus": ":70000"}, "--prometheus: expected HOST:PORT"),
        ({"prometheus": "http://h:9646"}, "--prometheus: expected HOST:PORT"),
        ({"prometheus_cert": "c.pem"}, "--prometheus-cert: expected prometheus beside it"),
        ({"prometheus": ":1", "prometheus_key": "k"}, "--prometheus-key: expected prometheus_cert beside it"),
        (
            {"prometheus": ":1", "prometheus_auth_env": "me:secret"},
            "--prometheus-auth-env: expected the name of an environment variable, not the secret itself$",
        ),
    ],
)
def test_what_is_wrong_is_one_line(words: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Scenario().merge(words)


def test_a_table_says_where_to_listen(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prometheus\.listen: expected HOST:PORT"):
        scenario(tmp_path, '[prometheus]\nauth_env = "SCRAPER"\n')
    with pytest.raises(ConfigError, match=r"prometheus\.password: a secret must not stand here"):
        scenario(tmp_path, '[prometheus]\nlisten = ":1"\npassword = "x"\n')


@pytest.fixture
def started() -> Iterator[list[MetricsServer]]:
    servers: list[MetricsServer] = []
    yield servers
    for server in servers:
        server.stop()


def client(**options: object) -> httpx.Client:
    return httpx.Client(trust_env=False, timeout=20, **options)


def test_only_the_metrics_are_there_and_only_to_be_read(started: list[MetricsServer]) -> None:
    port = free_port()
    started.append(serve(MetricsPort("127.0.0.1", port), page))
    with client(base_url=f"http://127.0.0.1:{port}") as http:
        answer = http.get("/metrics?x=1")
        assert (answer.status_code, answer.content) == (200, BODY)
        assert answer.headers["content-type"] == Format.TEXT.value
        assert http.head("/metrics").content == b""
        assert http.get("/").status_code == 404
        assert http.post("/metrics").status_code == 405


def test_one_who_says_nothing_keeps_nobody_from_reading(started: list[MetricsServer]) -> None:
    port = free_port()
    started.append(serve(MetricsPort("127.0.0.1", port), page))
    with socket.create_connection(("127.0.0.1", port)) as silent, client() as http:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert http.get(f"http://127.0.0.1:{port}/metrics").status_code == 200


def test_tls_and_basic_authentication(
    started: list[MetricsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    cert = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(cert))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    monkeypatch.setenv("SCRAPER", "prometheus:a:s\u00e9cret")
    port = free_port()
    started.append(serve(MetricsPort("127.0.0.1", port, str(cert), None, Secret("SCRAPER")), page))
    with client(base_url=f"https://127.0.0.1:{port}", verify=trust) as http:
        refused = http.get("/metrics")
        assert (refused.status_code, refused.content) == (401, b"")
        assert refused.headers["www-authenticate"].startswith("Basic ")
        for wrong in ("a:secret", "", "x" * 500):
            assert http.get("/metrics", auth=("prometheus", wrong)).status_code == 401
        assert http.get("/metrics", headers={"Authorization": "Basic \u00e9".encode()}).status_code == 401
        assert http.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401
        assert http.get("/nothing").status_code == 401, "who may not read does not learn what is there"
        assert http.get("/metrics", auth=("prometheus", "a:s\u00e9cret")).content == BODY


def test_what_cannot_be_served_is_one_line(
    started: list[MetricsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    started.append(serve(MetricsPort("127.0.0.1", port), page))
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    monkeypatch.setenv("SCRAPER", "password-alone")
    for settings, message in (
        (
            MetricsPort("127.0.0.1", port),
            f"prometheus: cannot listen on 127.0.0.1:{port}: Address already in use",
        ),
        (MetricsPort("127.0.0.1", 1, str(bad)), "prometheus_cert: expected a certificate and its key"),
        (MetricsPort("127.0.0.1", 1, str(tmp_path / "no")), "prometheus_cert: cannot read .*: No such file"),
        (MetricsPort("127.0.0.1", 1, auth=Secret("SCRAPER")), "prometheus_auth: expected user:password"),
        (MetricsPort("127.0.0.1", 1, auth=Secret("GONE")), "environment variable GONE is not set"),
    ):
        with pytest.raises(ConfigError, match=message) as refusal:
            serve(settings, page)
        assert "password-alone" not in str(refusal.value)
        assert "\n" not in str(refusal.value)
