"""Real Locust with two workers on the testbed, scraped by a real Prometheus."""

import itertools
import json
import math
import signal
import statistics
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from glm_locust.exposition import FAMILIES
from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.records import Phase, RequestRecord
from glm_locust.testbed import Testbed
from tests.exporter.prometheus import Prometheus
from tests.plugin.team import ROOT, Team, free_port, read, until

pytestmark = pytest.mark.servers

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bucket_of(value: float) -> tuple[float, float]:
    bounds = (0.0, *FAMILIES["glm_ttft_seconds"].bounds_s, math.inf)
    return next((low, high) for low, high in itertools.pairwise(bounds) if value <= high)


def p95_bounds(records: list[RequestRecord]) -> tuple[float, float]:
    """The edges of the buckets that hold the order statistics around the p95."""
    values = sorted(value for record in records for value in METRICS["ttft_s"].formula(record))
    below = values[math.floor(0.95 * (len(values) - 1))]
    above = values[min(len(values) - 1, math.ceil(0.95 * len(values)))]
    return bucket_of(below)[0], bucket_of(above)[1]


def p95(records: list[RequestRecord]) -> float:
    """Exact, interpolated between neighbours."""
    values = [value for record in records for value in METRICS["ttft_s"].formula(record)]
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def p95_of_dashboard(http: httpx.Client) -> dict[str, float]:
    """What the page shows at last, by path."""
    ended: dict[str, float] = {}

    def told() -> bool:
        told = http.get("/glm/data").json()
        ended.update({row["path"]: row["ttft_s"][1] for row in told["rows"] if row["task"] is None})
        return bool(told["run"]["state"] == "ended")

    until(told, "the dashboard shows the end of the run")
    return ended


def p95_of_summary(run_dir: Path, path: str) -> float:
    summary = json.loads((run_dir / "summary.json").read_text())
    value: float = summary["tasks"]["ocr"][path]["ttft_s"]["p95"]
    return value


@pytest.mark.prometheus
def test_prometheus_agrees_with_the_run(running: ExitStack, tmp_path: Path) -> None:
    testbed = running.enter_context(Testbed(workdir=tmp_path / "testbed"))
    assert testbed.web_url is not None
    team = running.enter_context(Team(tmp_path, locustfile=ROOT / "locustfiles" / "web_vs_api.py"))
    web, own = free_port(), free_port()
    for name in ("worker1", "worker2"):
        team.locust(name, "--worker", "--master-port", str(team.port))
    team.start_master(
        *("--web-host", "127.0.0.1", "--web-port", str(web), "--web-base-path", "/load"),
        *("--glm-api", testbed.api_url, "--glm-web", testbed.web_url, "--glm-prometheus", f":{own}"),
        *("--glm-tasks", "ocr", "--glm-repeats", "24", "--glm-levels", "4"),
    )
    data = tmp_path / "prometheus"
    data.mkdir()
    prometheus = Prometheus(data, "--enable-feature=exemplar-storage", glm=f"127.0.0.1:{own}")
    running.callback(prometheus.close)
    until(prometheus.ready, "Prometheus is ready")
    http = running.enter_context(
        httpx.Client(base_url=f"http://127.0.0.1:{web}/load", trust_env=False, timeout=30)
    )
    until(lambda: prometheus.query('up{job="glm"} == 1'), "the master is scraped before its first run")
    until(lambda: served(http) == b"", "the web app has no metrics before the first run")
    until(lambda: team.said().count("reported as ready") == 2, "both workers are there")

    assert http.post("/swarm", data={"user_count": 4, "spawn_rate": 10}).json()["success"]
    until(lambda: prometheus.query("sum(glm_in_flight) > 1"), "requests are in flight")
    until(lambda: len(prometheus.query("glm_generator_cpu_ratio")) == 2, "both workers tell their CPU share")
    until(lambda: prometheus.query("glm_send_lag_seconds"), "send lag")
    until(lambda: prometheus.query("glm_generator_lag_seconds"), "generator lag")
    until(lambda: [*(tmp_path / "runs").glob("*/report.html")], "the run ends")
    (run_dir,) = team.run_dirs
    result = read(run_dir)
    measured = [record for record in result.records if record.phase is Phase.MEASURE]
    counted = Counter((r.path, r.task, r.outcome.value) for r in measured)

    def told() -> Counter[tuple[str, str, str]]:
        rows = prometheus.query("glm_requests_total")
        labels = [row["metric"] for row in rows]
        return Counter(
            {
                (label["path"], label["task"], label["outcome"]): int(float(row["value"][1]))
                for label, row in zip(labels, rows, strict=True)
            }
        )

    until(lambda: told() == counted, f"Prometheus counts {counted}")
    good = [record for record in measured if enters_statistics(record)]
    shown = p95_of_dashboard(http)
    for path in ("api", "web"):
        mine = [record for record in good if record.path == path]
        assert len(mine) >= 24
        assert value(prometheus, f'glm_ttft_seconds_count{{path="{path}"}}') == len(mine)
        gaps = sum(len(record.output_gaps_us) for record in mine)
        assert value(prometheus, f'glm_itl_seconds_count{{path="{path}"}}') == gaps
        tokens = sum(record.output_tokens or 0 for record in mine)
        assert value(prometheus, f'glm_output_tokens_total{{path="{path}"}}') == tokens
        low, high = p95_bounds(mine)
        exact = p95(mine)
        assert low <= exact <= high
        assert p95_of_summary(run_dir, path) == pytest.approx(exact, rel=0.01)
        assert shown[path] == pytest.approx(exact, rel=0.01)
        quantile = f'histogram_quantile(0.95, sum by (le) (glm_ttft_seconds_bucket{{path="{path}"}}))'
        assert low <= value(prometheus, quantile) <= high

    exemplars = prometheus.get("query_exemplars", query="glm_ttft_seconds_bucket", start="0", end=str(2**32))
    ids = {found["labels"]["request_id"] for series in exemplars for found in series["exemplars"]}
    assert ids
    assert ids <= {f"{record.worker_id}/{record.seq}" for record in good}

    until(lambda: not prometheus.query("glm_in_flight"), "nobody is in flight any more")
    assert value(prometheus, "glm_workers_lost") == 0
    (info,) = prometheus.query("glm_run_info")
    assert info["metric"]["run_id"] == run_dir.name
    rows = prometheus.query("glm:ttft_seconds:p95_30s")
    assert {row["metric"]["path"] for row in rows} == {"api", "web"}, (
        "the shipped rules find the names they use"
    )
    # In the web app the same page, and in both the format that was asked for.
    for form in ({}, OPENMETRICS):
        here, there = (
            http.get("/glm/metrics", headers=form),
            http.get(f"http://127.0.0.1:{own}/metrics", headers=form),
        )
        assert (here.status_code, here.headers["content-type"]) == (200, there.headers["content-type"])
        assert here.content == there.content

    assert http.post("/swarm", data={"user_count": 4, "spawn_rate": 10}).json()["success"]
    until(lambda: len(team.run_dirs) == 2, "a second run")
    until(lambda: run_ids(http) == {team.run_dirs[1].name}, "the page tells of the second run only")
    team.kill("worker2", signal.SIGKILL)
    until(lambda: prometheus.query("glm_workers_lost == 1"), "the lost worker is told")
    assert "Traceback" not in team.said()


def value(prometheus: Prometheus, expression: str) -> float:
    (row,) = prometheus.query(expression)
    return float(row["value"][1])


def served(http: httpx.Client) -> bytes | None:
    try:
        return http.get("/glm/metrics").content
    except httpx.ConnectError:
        return None


def run_ids(http: httpx.Client) -> set[str]:
    families = text_string_to_metric_families(http.get("/glm/metrics").text)
    return {s.labels["run_id"] for family in families for s in family.samples if "run_id" in s.labels}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


def test_a_headless_local_run_is_served_on_its_port(team: Team) -> None:
    port = free_port()
    team.locust("master", "--headless", "-u", "3", "-r", "3", "--glm-prometheus", f"127.0.0.1:{port}")
    until(
        lambda: gauge(port, 'glm_in_flight{path="marker"} 3.0'),
        "three requests in flight, told by one process",
    )
    until(lambda: gauge(port, 'glm_generator_cpu_ratio{worker="local"}'), "its CPU share")
    team.kill("master", signal.SIGTERM)
    assert team.code() == 0, team.said()


def gauge(port: int, line: str) -> bool:
    try:
        return line in httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False, timeout=20).text
    except httpx.ConnectError:
        return False


def test_a_port_that_is_taken_is_refused_before_any_load(team: Team) -> None:
    taken = team.environment["MARKER_PORT"]
    team.locust("master", "--headless", "-u", "1", "-t", "60s", "--glm-prometheus", f":{taken}")
    assert team.code() == 64, team.said()
    said = team.said()
    assert f"prometheus: cannot listen on 127.0.0.1:{taken}: Address already in use" in said
    assert "Traceback" not in said
    assert team.answered() == []


def test_the_page_in_the_web_app_is_behind_its_login(team: Team, tmp_path: Path) -> None:
    file = tmp_path / "with_login.py"
    file.write_text(
        "from locust import events\n"
        "from tests.plugin.locustfile import *\n"
        "@events.init.add_listener\n"
        "def login(environment, **_):\n"
        "    environment.web_ui.app.secret_key = 'x'\n"
        "    environment.web_ui.login_manager.user_loader(lambda name: None)\n"
        "    environment.web_ui.auth_args = {}\n"
    )
    team.locustfile = file
    port = free_port()
    team.locust("master", "--web-host", "127.0.0.1", "--web-port", str(port), "--web-login")

    def answered() -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/glm/metrics", trust_env=False, timeout=20)
        except httpx.ConnectError:
            return None

    until(answered, "the web app answers")
    answer = answered()
    assert answer is not None
    assert (answer.status_code, answer.headers.get("location", "").split("?")[0]) == (302, "/login")
