"""The HTTP side: pages of samples, the clock, health, credentials, TLS, bad queries."""

import base64
import json
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.exporter.rig import DEADLINE_S, Exporter, Journal, until

pytestmark = [pytest.mark.servers, pytest.mark.compiler]

Start = Callable[..., Exporter]


@pytest.fixture(scope="module")
def exporter(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """One exporter with two GPUs for all tests that only ask."""
    journal = Journal(tmp_path_factory.mktemp("http") / "journal")
    journal.add("gpus = 2")
    with Exporter(library, journal) as running:
        running.wait_for_gpus(2)
        yield running


def test_pages_follow_each_other_without_gap_or_repeat(exporter: Exporter) -> None:
    exporter.wait_for("rows for several pages", lambda s: (s.one("gpu_exporter_rows_total") or 0) > 150)
    seen, since, pages = [], 0, 0
    more = True
    while more:
        header, rows = exporter.page(since, limit=40)
        assert len(rows) <= 40
        seen += [row["seq"] for row in rows]
        since, more, pages = header["next"], header["more"], pages + 1
    assert pages >= 4
    assert seen == list(range(1, len(seen) + 1))
    assert header["lost"] == 0
    assert header["gpus"]["1"]["uuid"].endswith("1")


def test_a_moment_is_a_place_in_the_samples(exporter: Exporter) -> None:
    exporter.wait_for("some samples", lambda s: min(s.all("gpu_samples_total")) > 20)
    rows = list(exporter.rows())
    middle_ns = rows[len(rows) // 2]["t1_ns"]
    _, later = exporter.page(f"@{middle_ns // 10**9}.{middle_ns % 10**9:09d}")
    wanted = {row["seq"] for row in rows if row["t1_ns"] >= middle_ns}
    assert wanted <= {row["seq"] for row in later}
    assert later[0]["t1_ns"] >= middle_ns
    assert exporter.page("@9000000000")[1] == []


def test_rows_that_have_left_the_ring_are_counted_as_lost(start: Start) -> None:
    exporter = start("--keep-s", "1", "--hz", "100")
    header = until(lambda: (h := exporter.page(5, limit=1)[0])["first_seq"] > 6 and h, "rows leave the ring")
    assert header["lost"] == header["first_seq"] - 1 - 5


@pytest.mark.parametrize(
    "query",
    [
        "since=-1",
        "since=abc",
        "since=@",
        "since=@nan",
        "since=@1e99",
        "since=1.5",
        "limit=0",
        "limit=x",
        "limit=999999",
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_one_line(exporter: Exporter, query: str) -> None:
    status, _, body = exporter.get(f"/v1/samples?{query}")
    assert status == 400
    assert b"expected" in body
    assert body.count(b"\n") == 1


@pytest.mark.parametrize("path", ["/", "//[", "/metrics/", "/v1/samples/../clock", "/%00"])
def test_other_paths_are_not_found(exporter: Exporter, path: str) -> None:
    status, _, body = exporter.get(path)
    assert (status, body) == (404, b"try /metrics /v1/samples /v1/clock /healthz\n")


@pytest.mark.parametrize("path", ["/metrics", "/v1/samples"])
def test_large_answers_are_compressed_for_those_who_can(exporter: Exporter, path: str) -> None:
    assert "Content-Encoding" not in exporter.get(path)[1]
    status, headers, body = exporter.get(path, **{"Accept-Encoding": "gzip"})
    assert status == 200
    assert headers["Content-Encoding"] == "gzip"
    assert int(headers["Content-Length"]) < len(body) / 3


def test_metrics_come_in_the_format_that_is_asked_for(exporter: Exporter) -> None:
    _, headers, body = exporter.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert exporter.get("/metrics")[1]["Content-Type"].startswith("text/plain")


def test_the_clock_lies_between_asking_and_answer(exporter: Exporter) -> None:
    for _ in range(20):
        before_ns = time.time_ns()
        clock = exporter.json("/v1/clock")
        after_ns = time.time_ns()
        assert before_ns <= clock["t_in_ns"] <= clock["t_out_ns"] <= after_ns
    assert clock["instance"] == exporter.page()[0]["instance"]


def test_health_names_every_gpu(exporter: Exporter) -> None:
    assert exporter.json("/healthz") == {"status": "ok", "nvml": "ok", "gpus": {"0": "up", "1": "up"}}


def test_many_idle_connections_do_not_keep_others_out_for_long(exporter: Exporter) -> None:
    host, port = exporter.url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), DEADLINE_S) for _ in range(40)]
    try:
        assert exporter.get("/healthz")[0] == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("source", ["environment", "file"])
def test_credentials_open_every_page_and_are_never_shown(start: Start, tmp_path: Path, source: str) -> None:
    if source == "file":
        (tmp_path / "auth").write_text("prom:s3cret:with:colons\n")
        exporter = start("--basic-auth-file", str(tmp_path / "auth"))
    else:
        exporter = start("--basic-auth-env", "AUTH", environment={"AUTH": "prom:s3cret:with:colons"})
    right = "Basic " + base64.b64encode(b"prom:s3cret:with:colons").decode()
    for path in ("/metrics", "/v1/samples", "/v1/clock", "/healthz", "/nothing"):
        assert exporter.get(path)[0] == 401
        assert exporter.get(path, Authorization=right)[0] in (200, 404)
    for wrong in ("Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"prom:s3cre").decode()):
        assert exporter.get("/metrics", Authorization=wrong)[0] == 401
    assert exporter.stop() == 0
    assert "s3cret" not in " ".join(exporter.log)


def test_tls_serves_those_who_trust_it_and_shrugs_off_the_rest(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    exporter = start("--tls-cert", str(tmp_path / "server.pem"))
    assert exporter.url.startswith("https://")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    host, port = exporter.url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), DEADLINE_S) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")  # not TLS, and it stays open
        with urllib.request.urlopen(
            exporter.url + "/v1/clock", timeout=DEADLINE_S, context=trusting
        ) as answer:
            assert json.load(answer)["t_in_ns"] > 0
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(exporter.url, timeout=DEADLINE_S, context=ssl.create_default_context())


def test_with_a_client_authority_only_its_clients_are_let_in(start: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "server.pem")
    )
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    exporter = start("--tls-cert", str(tmp_path / "server.pem"), "--tls-client-ca", str(tmp_path / "ca.pem"))
    stranger = ssl.create_default_context()
    authority.configure_trust(stranger)
    with pytest.raises(OSError):  # noqa: PT011 - the alert or the reset, whichever is seen first
        urllib.request.urlopen(exporter.url + "/healthz", timeout=DEADLINE_S, context=stranger)
    known = ssl.create_default_context()
    authority.configure_trust(known)
    authority.issue_cert("client").configure_cert(known)
    with urllib.request.urlopen(exporter.url + "/v1/clock", timeout=DEADLINE_S, context=known) as answer:
        assert answer.status == 200
