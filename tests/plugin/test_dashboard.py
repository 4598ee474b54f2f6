"""Runs that are started and stopped in Locust's dashboard."""

import signal
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.team import Team, free_port, read, until

pytestmark = pytest.mark.servers


class Dashboard:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, form: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.url + path, form, timeout=60) as response:
            body: bytes = response.read()
            return body.replace(b" ", b"")

    def answers(self) -> bool:
        try:
            return bool(self.get("/"))
        except OSError:
            return False

    def swarm(self, users: int) -> None:
        form = urllib.parse.urlencode({"user_count": users, "spawn_rate": users}).encode()
        assert b'"success":true' in self.get("/swarm", form)

    def stop(self) -> None:
        assert b'"success":true' in self.get("/stop", b"")


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


@pytest.mark.parametrize("workers", [0, 2], ids=["local", "two workers"])
def test_two_runs_one_after_the_other(team: Team, workers: int) -> None:
    port = free_port()
    options = ["--web-host", "127.0.0.1", "--web-port", str(port)]
    for number in range(workers):
        team.locust(f"worker{number}", "--worker", "--master-port", str(team.port))
    if workers:
        team.start_master(*options)
    else:
        team.locust("master", *options)
    dashboard = Dashboard(port)
    until(dashboard.answers, "the dashboard answers")
    until(lambda: team.said().count("reported as ready") == workers, "all workers are there")
    for number in (1, 2):
        answered = len(team.answered())
        dashboard.swarm(6)
        team.wait_for_answers(answered + 15)
        dashboard.stop()
        until(lambda number=number: len(finished(team)) == number, "the run has its footer")
        until(lambda: b'"state":"stopped"' in state(dashboard), "Locust has stopped")
        if workers:
            until(lambda: state(dashboard).count(b'"state":"ready"') == workers, "workers are ready")
    team.kill("master", signal.SIGINT)
    assert team.code() == 0, "the interrupt ended no run: " + team.said()[-3000:]
    runs = [read(run_dir) for run_dir in team.run_dirs]
    assert len(runs) == 2
    answered_by_run = Counter(record.prompt_id for run in runs for record in run.records)
    assert answered_by_run == Counter(team.answered())
    assert runs[0].header.seed != runs[1].header.seed, "other questions: the first ones are in caches now"
    for run in runs:
        assert run.footer is not None
        assert run.footer.reason == "stopped"
        assert run.footer.locust_requests == len(run.records) == run.footer.counts["ok"]
        assert not any(account["lost"] for account in run.footer.workers.values())
        assert len(run.footer.workers) == max(1, workers)


def finished(team: Team) -> list[Path]:
    return [run_dir for run_dir in team.run_dirs if read(run_dir).footer is not None]


def state(dashboard: Dashboard) -> bytes:
    return dashboard.get("/stats/requests")
