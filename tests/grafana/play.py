"""A real run with two workers beside a scripted GPU, scraped by a real Prometheus; and the same, imported."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_locust import cli
from glm_locust.testbed import Testbed
from tests.exporter.prometheus import Prometheus
from tests.exporter.rig import Exporter, Journal, built_library
from tests.grafana.shipped import label_values, substituted
from tests.plugin.team import ROOT, Team, free_port, read, until

REPEATS = 16
USERS = 4
FAULTS = 4
GIB = 2**30
XID = 79


@dataclass(frozen=True)
class Watched:
    """A Prometheus that has a run, and when that was."""

    prometheus: Prometheus
    run_id: str
    begins_s: float
    ends_s: float
    values: dict[str, str]
    """Of Grafana's own variables, and of ours as a person would choose them."""

    def answer(self, expression: str, *, instant: bool) -> list[dict[str, Any]]:
        """The series with their numbers, those that are no number left out."""
        asked = substituted(expression, self.values)
        if instant:
            found = self.prometheus.get("query", query=asked, time=str(self.ends_s))["result"]
            series = [(one["metric"], [one["value"]]) for one in found]
        else:
            span = {"start": str(self.begins_s), "end": str(self.ends_s), "step": "1"}
            found = self.prometheus.get("query_range", query=asked, **span)["result"]
            series = [(one["metric"], one["values"]) for one in found]
        told = [
            {
                "labels": labels,
                "values": [float(value) for _, value in points if value not in ("NaN", "+Inf")],
            }
            for labels, points in series
        ]
        return [one for one in told if one["values"]]

    def options(self, variable: dict[str, Any]) -> list[str]:
        """What Grafana would offer for a variable, before its regular expression."""
        series, label = label_values(variable)
        span = {"start": str(self.begins_s), "end": str(self.ends_s)}
        found: list[str] = self.prometheus.get(
            f"label/{label}/values", **{"match[]": substituted(series, self.values)}, **span
        )
        return found


@contextmanager
def played(directory: Path) -> Iterator[tuple[Watched, Path]]:
    """The run as it was scraped, and its directory; Prometheus stays until the end of the block."""
    with ExitStack() as running:
        testbed = running.enter_context(Testbed(jupyter=False, workdir=directory / "testbed"))
        journal = Journal(directory / "journal")
        journal.add("gpus = 1", "0.util = sin(40,95,7)", "0.power_mw = 350000", "0.temp = 71", "0.gpm = 1")
        journal.add("0.gpm.2 = 60", "0.gpm.5 = 40", "0.gpm.10 = 30", "0.throttle = square(0,4,6)")
        journal.add(f"0.mem_total = {24 * GIB}", f"0.mem_used = {18 * GIB}", "0.sm_mhz = 1755")
        journal.add(f"0.procs = {testbed.pids['api']}:{17 * GIB}", f"+2 0.xid = {XID}")
        exporter = running.enter_context(Exporter(built_library(), journal))
        exporter.wait_for_gpus(1)
        team = running.enter_context(Team(directory, locustfile=ROOT / "locustfiles" / "web_vs_api.py"))
        own = free_port()
        folder = directory / "prometheus"
        folder.mkdir()
        addresses = {
            "gpu": exporter.url.removeprefix("http://"),
            "glm": f"127.0.0.1:{own}",
            "engine": testbed.api_url.removeprefix("http://"),
        }
        prometheus = Prometheus(folder, **addresses)
        running.callback(prometheus.close)
        until(prometheus.ready, "Prometheus is ready")
        for name in ("worker1", "worker2"):
            team.locust(name, "--worker", "--master-port", str(team.port))
        assert testbed.web_url is not None
        team.start_master(
            *("--headless", "--glm-api", testbed.api_url, "--glm-web", testbed.web_url),
            *("--glm-exporter", exporter.url, "--glm-metrics", f"{testbed.api_url}/metrics"),
            *("--glm-prometheus", f":{own}", "--glm-tasks", "ocr,chart"),
            *("--glm-repeats", str(REPEATS), "--glm-levels", str(USERS)),
        )
        for path in ("api", "web"):
            until(
                lambda path=path: prometheus.query(f'sum(glm_requests_total{{path="{path}"}}) > 3'),
                f"measured requests on path {path}",
                120,
            )
            spoil(testbed.api_url)
        team.processes["master"].wait(180)
        ended_s = time.time()
        (run_dir,) = team.run_dirs
        result = read(run_dir)
        assert result.footer is not None, team.said()
        begins_s = result.header.started_ns * 1e-9
        values = chosen(run_dir.name, ended_s - begins_s) | {
            "host": addresses["gpu"],
            "engine": addresses["engine"],
        }
        yield Watched(prometheus, run_dir.name, begins_s, ended_s, values), run_dir


@contextmanager
def imported(run_dir: Path, directory: Path) -> Iterator[Watched]:
    """The run as another Prometheus has it, which was never near it."""
    file = directory / "run.om"
    assert cli.main(["export", str(run_dir), "--openmetrics", str(file)]) == 0
    folder = directory / "prometheus"
    folder.mkdir()
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(file), str(folder / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    prometheus = Prometheus(folder, "--storage.tsdb.retention.time=100y")
    try:
        until(prometheus.ready, "Prometheus is ready")
        result = read(run_dir)
        assert result.footer is not None
        begins_s, ends_s = result.header.started_ns * 1e-9, result.footer.ended_ns * 1e-9 + 6
        values = chosen(run_dir.name, ends_s - begins_s) | {"host": ".*", "engine": ".*"}
        yield Watched(prometheus, run_dir.name, begins_s, ends_s, values)
    finally:
        prometheus.close()


def chosen(run_id: str, span_s: float) -> dict[str, str]:
    """Values of variables, those of several choices as Grafana writes them."""
    return {
        "__rate_interval": "20s",
        "__range": f"{round(span_s) + 1}s",
        "run": run_id,
        "path": "(api|web)",
        "task": ".*",
        "ttft_objective": "2.0",
        "baseline": "api",
        "page": "web",
        "gpu": "0",
    }


def spoil(api_url: str) -> None:
    """Let the next requests fail."""
    body = json.dumps({"kind": "500", "count": FAULTS}).encode()
    request = urllib.request.Request(
        f"{api_url}/testbed/faults", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status < 300
