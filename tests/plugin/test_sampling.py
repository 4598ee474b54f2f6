"""Samples of a run: whatever happens to exporter or fetching process, the run goes on and says so."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from glm_locust.report import write_report
from glm_locust.samples.store import Clock, Gap, Rows, read_samples
from tests.exporter.rig import Exporter
from tests.plugin.team import Team, free_port, read, until

pytestmark = pytest.mark.servers


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter(None, None) as running:
        yield running


def sampled(run_dir: Path, kind: type) -> int:
    return sum(isinstance(line, kind) for line in read_samples(run_dir))


def fetcher_of(team: Team) -> psutil.Process | None:
    for child in psutil.Process(team.processes["master"].pid).children():
        if "glm_locust.samples.fetch" in child.cmdline():
            return child
    return None


def only_run(team: Team) -> Path:
    until(lambda: team.run_dirs, "the run begins")
    (run_dir,) = team.run_dirs
    return run_dir


def end(team: Team) -> tuple[Path, list[str]]:
    """End the run in order; its directory and notes."""
    team.kill("master", signal.SIGTERM)
    code = team.code()
    assert code == 0, team.said()
    run_dir = only_run(team)
    result = read(run_dir)
    assert result.footer is not None
    assert len(result.records) >= len(team.answered())
    return run_dir, list(result.footer.notes)


def test_an_exporter_killed_in_mid_run_is_noted_and_nothing_else(team: Team, exporter: Exporter) -> None:
    team.start_all("--glm-exporter", exporter.url)
    team.wait_for_answers(10)
    run_dir = only_run(team)
    until(lambda: sampled(run_dir, Rows), "samples arrive")
    exporter.stop(signal.SIGKILL)
    until(lambda: sampled(run_dir, Gap), "the gap is noticed")
    answered = len(team.answered())
    team.wait_for_answers(answered + 10)
    run_dir, notes = end(team)
    assert any("could not be read for" in note for note in notes)
    resources = json.loads((run_dir / "summary.json").read_text())["resources"]
    assert [gap["source"] for gap in resources["gaps"]] == [exporter.url.removeprefix("http://")]
    assert "could not be read" in (run_dir / "summary.md").read_text()


def test_a_fetching_process_killed_in_mid_run_is_started_again(team: Team, exporter: Exporter) -> None:
    team.start_all("--glm-exporter", exporter.url)
    run_dir = only_run(team)
    until(lambda: sampled(run_dir, Rows), "samples arrive")
    killed = fetcher_of(team)
    assert killed is not None
    killed.kill()
    until((run_dir / "samples-2.jsonl.gz").exists, "another one goes on")
    before = sampled(run_dir, Rows)
    until(lambda: sampled(run_dir, Rows) > before, "and fetches")
    run_dir, notes = end(team)
    assert "samples: the fetching process ended by signal 9" in notes
    numbers = sorted(
        {row["seq"] for line in read_samples(run_dir) if isinstance(line, Rows) for row in line.rows}
    )
    assert numbers == list(range(numbers[0], numbers[-1] + 1)), "the exporter still had what was missed"


def test_every_worker_compares_its_clock_at_start_and_end(team: Team, exporter: Exporter) -> None:
    team.start_all("--glm-exporter", exporter.url, "--glm-metrics", f"{exporter.url}/metrics")
    team.wait_for_answers(5)
    run_dir = only_run(team)
    until(lambda: sampled(run_dir, Clock) >= 3, "first rounds of both workers and the fetching process")
    run_dir, notes = end(team)
    assert notes == []
    clocks = [line for line in read_samples(run_dir) if isinstance(line, Clock)]
    workers = {record.worker_id for record in read(run_dir).records}
    assert {clock.worker for clock in clocks} == workers | {"fetcher"}
    assert all(sum(clock.worker == worker for clock in clocks) == 2 for worker in workers)
    assert all(abs(clock.offset_ns) < clock.bound_ns + 5_000_000 for clock in clocks), (
        "one machine, one clock"
    )
    assert not (run_dir / "samples.log").exists(), "nothing to complain of"
    before = (run_dir / "windows.jsonl.gz").read_bytes()
    write_report(run_dir)
    assert (run_dir / "windows.jsonl.gz").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "expected"),
    [("--glm-exporter", "exporter: {} cannot be reached"), ("--glm-metrics", "metrics: {}/metrics cannot")],
)
def test_a_source_that_is_not_there_is_refused_before_any_load(
    team: Team, option: str, expected: str
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    team.locust("master", "--headless", "-u", "2", "-r", "2", "-t", "60s", option, url)
    assert team.code() == 64, team.said()
    said = team.said()
    assert expected.format(url) in said
    assert "Traceback" not in said
    assert team.answered() == []
    assert team.run_dirs == []
