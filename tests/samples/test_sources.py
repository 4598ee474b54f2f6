"""Sources get short names and are checked before any load: each fault is one line."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from glm_locust.config import Scenario
from glm_locust.errors import ConfigError
from glm_locust.samples.sources import Sources, check, named, sources_of
from tests.exporter.rig import Exporter


@contextlib.contextmanager
def page(status: int, kind: str, body: bytes) -> Iterator[str]:
    """A server that answers everything with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def refusal(**urls: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(Sources(**urls))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_hosts_name_sources_and_paths_where_hosts_are_alike() -> None:
    assert named(["http://a:1", "http://b:1/", "http://a:1/two"]) == {
        "a:1": "http://a:1",
        "b:1": "http://b:1",
        "a:1/two": "http://a:1/two",
    }


def test_an_endpoint_without_a_path_means_its_metrics() -> None:
    scenario = Scenario(metrics=("http://vllm:8000", "http://node:9100/federate"))
    assert list(sources_of(scenario).metrics.values()) == [
        "http://vllm:8000/metrics",
        "http://node:9100/federate",
    ]


def test_the_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scenario(exporter=("http://e:1",), samples_auth_env="SAMPLES_SECRET")
    with pytest.raises(ConfigError, match="samples_auth: environment variable SAMPLES_SECRET is not set"):
        sources_of(scenario)
    monkeypatch.setenv("SAMPLES_SECRET", "nobody")
    with pytest.raises(ConfigError, match="expected user:password"):
        sources_of(scenario)
    monkeypatch.setenv("SAMPLES_SECRET", "me:geheim")
    sources = sources_of(scenario)
    assert sources.auth == "me:geheim"
    assert "geheim" not in repr(sources)


def test_nothing_there_is_said() -> None:
    with page(200, "text/plain", b"") as gone:
        pass
    assert refusal(exporters={"e": gone}).startswith(f"exporter: {gone} cannot be reached: ")
    assert refusal(metrics={"m": gone}).startswith(f"metrics: {gone} cannot be reached: ")


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", b"<p>no"),
        (200, "application/json", b'{"t_in_ns": 1}'),
        (200, "text/html", b"<p>hi"),
    ],
)
def test_something_else_is_no_exporter(status: int, kind: str, body: bytes) -> None:
    with page(status, kind, body) as url:
        expected = f"{url} is not a glm-gpu-exporter: /v1/clock answered status {status} with {kind}"
        assert refusal(exporters={"e": url}) == f"exporter: {expected}"


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"not { a metric"])
def test_a_page_is_no_prometheus_endpoint(body: bytes) -> None:
    with page(200, "text/html", body) as url:
        expected = f"metrics: expected Prometheus metrics at {url}, got status 200 with text/html"
        assert refusal(metrics={"m": url}) == expected


def test_a_real_exporter_passes_and_wants_its_credentials() -> None:
    with Exporter(None, None, "--basic-auth-env", "WHO", environment={"WHO": "me:geheim"}) as exporter:
        both = {"exporters": {"e": exporter.url}, "metrics": {"m": f"{exporter.url}/metrics"}}
        check(Sources(**both, auth="me:geheim"))
        said = refusal(exporters={"e": exporter.url})
        assert said == f"exporter: {exporter.url} wants other credentials than samples_auth gives (401)"
