"""A real Prometheus with the shipped configuration scrapes a real exporter: no gap, alerts come and go."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.exporter.prometheus import SHIPPED, Prometheus
from tests.exporter.rig import DEADLINE_S, Exporter, Journal, until

pytestmark = [pytest.mark.servers, pytest.mark.compiler, pytest.mark.prometheus]

SLOW_S = 90.0
LONGEST_GAP_S = 2.5
"""Scrapes are due every second; a shared machine may be late with one."""


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_alerts_fire_on_scripted_faults_and_resolve_and_no_scrape_is_missed(
    running: ExitStack, library: Path, journal: Journal, tmp_path: Path
) -> None:
    journal.add("gpus = 3", "*.util = 60", "*.mem_used = 1000000000")
    exporter = running.enter_context(Exporter(library, journal, "--dcgm-compat"))
    exporter.wait_for_gpus(3)
    prometheus = Prometheus(tmp_path, gpu=exporter.url.removeprefix("http://"))
    running.callback(prometheus.close)
    until(prometheus.ready, "Prometheus is ready", SLOW_S)
    until(lambda: len(prometheus.query("gpu_up == 1")) == 3, "three GPUs in Prometheus", SLOW_S)
    assert prometheus.firing() == set()

    journal.add("0.fails = 15", "1.throttle = 4", "2.xid = 79")
    until(lambda: not prometheus.query('gpu_utilization_ratio{gpu="0"}'), "GPU 0's values are gone", SLOW_S)
    until(lambda: ("GpuPowerCapped", "1") in prometheus.firing(), "GpuPowerCapped fires", SLOW_S)
    journal.add("1.throttle = 0")
    until(lambda: ("GpuGone", "0") in prometheus.firing(), "GpuGone fires", SLOW_S)
    assert ("GpuXid", "2") in prometheus.firing()
    journal.add("0.fails = 0")
    until(
        lambda: not {("GpuGone", "0"), ("GpuPowerCapped", "1")} & prometheus.firing(), "both resolve", SLOW_S
    )
    assert prometheus.firing() <= {("GpuXid", "2")}  # which resolves by itself, in time

    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == 22
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    scrapes = prometheus.raw('up{job="gpu"}[5m]')
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(scrapes)]
    span_s = scrapes[-1][0] - scrapes[0][0]
    print(f"{len(scrapes)} scrapes in {span_s:.1f} s, longest gap {max(gaps):.2f} s")
    assert {value for _, value in scrapes} == {1.0}
    assert max(gaps) < LONGEST_GAP_S
    assert len(scrapes) > 0.9 * span_s
    whole = prometheus.raw('gpu_utilization_ratio{gpu="1"}[5m]')
    assert len(whole) >= len(scrapes) - 1
    # The mean by the integral counter is the scripted utilisation.
    (busy,) = prometheus.query('gpu:busy:mean5s{gpu="1"}')
    assert float(busy["value"][1]) == pytest.approx(0.6, abs=0.05)

    address = exporter.url.removeprefix("http://")
    assert exporter.stop() == 0
    until(lambda: ("GpuExporterDown", "") in prometheus.firing(), "GpuExporterDown fires", SLOW_S)
    running.enter_context(Exporter(library, journal, listen=address))
    until(lambda: ("GpuExporterDown", "") not in prometheus.firing(), "GpuExporterDown resolves", SLOW_S)


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")]
)
def test_the_shipped_files_pass_promtool(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=SHIPPED, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_shipped_rule_has_a_test() -> None:
    rules, tests = (SHIPPED / "rules.yml").read_text(), (SHIPPED / "rules_test.yml").read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert f"alertname: {alert}" in tests
    for record in re.findall(r"record: (\S+)", rules):
        assert record in tests or record in rules.split(f"record: {record}", 1)[1]


def test_the_metrics_page_has_no_remark_of_promtool(library: Path, journal: Journal) -> None:
    journal.add("gpus = 2", "1.mig = 1", "0.gpm = 1", "0.gpm.2 = 10", "0.procs = 1:5")
    with Exporter(library, journal) as exporter:
        exporter.wait_for(
            "all kinds of rows", lambda s: s.all("gpu_mig_memory_used_bytes") and s.all("gpu_sm_active_ratio")
        )
        text = exporter.get("/metrics")[2]
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=DEADLINE_S, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
