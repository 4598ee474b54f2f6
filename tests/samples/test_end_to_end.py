"""From a scripted GPU to the report: every request meets what the schedule says it met."""

import gzip
import json
from pathlib import Path

import jsonschema
import pytest

from glm_locust.records import RequestRecord, decode_line
from glm_locust.samples.readings import readings_of
from glm_locust.samples.store import read_samples
from tests.samples.throttled import FULL_MHZ, HELD_MHZ, Plan, findings, play, schedule

pytestmark = [pytest.mark.servers, pytest.mark.compiler]

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "summary.schema.json").read_text())
PLAN = Plan(repeats=24, effect=2.0, least_s=3.0, held_s=2.0, full_s=2.0)
"""Plain to see: this is about the wiring. What small effects need, benchmarks/correlation.py measures."""
EDGE_S = 0.12
"""Two polls of the clock: nearer to a change a window may see either side."""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(PLAN, tmp_path_factory.mktemp("throttled"))


def windows_of(run_dir: Path) -> dict[tuple[str, int], dict[str, dict[str, list[float | None]]]]:
    with gzip.open(run_dir / "windows.jsonl.gz") as file:
        lines = [json.loads(line) for line in file]
    return {(line["worker_id"], line["seq"]): line["readings"] for line in lines}


def records_of(run_dir: Path) -> list[RequestRecord]:
    lines = [decode_line(line) for line in (run_dir / "run.jsonl").read_bytes().splitlines()]
    return [line for line in lines if isinstance(line, RequestRecord)]


def changes_of(run_dir: Path) -> list[tuple[float, bool]]:
    """The schedule, from the journal that the library read."""
    journal = (run_dir.parents[1] / "journal").read_text().splitlines()
    found = [line.split() for line in journal if "0.sm_mhz" in line]
    return [(int(words[0][1:]) / 1e6, int(words[3]) == HELD_MHZ) for words in found]


def test_each_request_has_the_clock_of_its_own_time(run_dir: Path) -> None:
    changes, windows = changes_of(run_dir), windows_of(run_dir)
    edges = [at for at, _ in changes]
    assert len(edges) == len(schedule(PLAN, edges[0]))
    checked = {FULL_MHZ: 0, HELD_MHZ: 0}
    for record in records_of(run_dir):
        assert record.submitted_ns is not None
        assert record.first_token_ns is not None
        begin_s, end_s = record.submitted_ns / 1e9, record.first_token_ns / 1e9
        if any(begin_s - EDGE_S < at < end_s + EDGE_S for at in edges):
            continue
        held = [state for at, state in changes if at <= begin_s][-1]
        mean_hertz, maximum, coverage = windows[record.worker_id, record.seq]["GPU 0 SM clock"]["ttft"]
        if not coverage or coverage < 0.5:
            continue  # on a busy machine the sampler itself may miss its turn, and says so
        expected_mhz = HELD_MHZ if held else FULL_MHZ
        assert mean_hertz == pytest.approx(expected_mhz * 1e6), record.seq
        assert maximum == mean_hertz
        checked[expected_mhz] += 1
    assert min(checked.values()) >= 5, checked


def test_every_request_has_a_line_of_windows(run_dir: Path) -> None:
    assert set(windows_of(run_dir)) == {(record.worker_id, record.seq) for record in records_of(run_dir)}


def test_the_summary_has_all_kinds_of_readings_and_no_verdict_yet(run_dir: Path) -> None:
    summary = json.loads((run_dir / "summary.json").read_text())
    jsonschema.validate(summary, SCHEMA)
    (use,) = summary["resources"]["by_path"]
    assert (use["path"], use["level"]) == ("api", PLAN.users)
    kinds = {(one["device"], one["quantity"]) for one in use["readings"].values()}
    assert {
        ("GPU 0", "sm_clock"),
        ("GPU 0", "busy"),
        ("host", "cpu"),
        ("engine", "requests_running"),
    } <= kinds
    busy = use["readings"]["GPU 0 busy"]
    assert 0.1 < busy["mean"] < busy["peak"] <= 1
    assert summary["correlation"]["verdict"] is False
    text = (run_dir / "summary.md").read_text()
    assert "too short for a verdict" in text
    assert "moves with TTFT" not in text
    assert "cause" not in text.replace("“caused”", "")


def test_the_wiring_shows_the_effect(run_dir: Path) -> None:
    found = findings(run_dir)
    assert found["GPU 0 SM clock"]["rho"] < -0.15
    assert found["GPU 0 throttled"]["rho"] > 0.15
    assert not any(finding["claimed"] for finding in found.values())


def test_the_driver_s_own_samples_are_used_for_utilisation(run_dir: Path) -> None:
    readings = readings_of(read_samples(run_dir)).readings
    busy, clock = readings["GPU 0 busy"], readings["GPU 0 SM clock"]
    assert len(busy.values) < len(clock.values) / 2, "once a driver period, not once a poll"


def test_the_report_shows_the_strip_and_the_slowest(run_dir: Path) -> None:
    page = (run_dir / "report.html").read_text()
    for part in ('id="plot-strip"', 'id="plot-variance"', 'id="slowest"', "What TTFT moved with"):
        assert part in page
