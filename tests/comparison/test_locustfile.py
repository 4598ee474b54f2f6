"""`locustfiles/web_vs_api.py` under plain Locust: one process, workers, the dashboard."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from glm_locust.testbed import Testbed
from tests.comparison.conftest import Server
from tests.plugin.team import ROOT, Result, Team, free_port, read, until
from tests.test_locustfiles import FILES

pytestmark = pytest.mark.servers

NAME = "web_vs_api.py"


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path, locustfile=ROOT / "locustfiles" / NAME) as team:
        yield team


def targets(testbed: Testbed) -> list[str]:
    assert testbed.web_url is not None
    return ["--glm-api", testbed.api_url, "--glm-web", testbed.web_url, "--glm-tasks", "ocr"]


def result_of(team: Team, server: Server) -> Result:
    (run_dir,) = team.run_dirs
    result = read(run_dir)
    assert result.footer is not None
    assert result.footer.locust_requests == len(result.records) > 0
    assert Counter(r.prompt_id for r in result.records) == Counter(server.finished())
    assert {record.path for record in result.records} == {"api", "web"}
    return result


def test_every_locustfile_is_run_by_a_test() -> None:
    tested = {name for name, _ in FILES} | {NAME}
    assert {file.name for file in (ROOT / "locustfiles").glob("*.py")} == tested


def test_workers_and_the_number_of_users_as_the_level(team: Team, testbed: Testbed, server: Server) -> None:
    team.start_all(*targets(testbed), "--glm-repeats", "3", users=3)
    assert team.code() == 0, team.said()
    result = result_of(team, server)
    assert result.footer is not None
    assert result.footer.reason == "completed"
    assert {record.level for record in result.records} == {3}
    assert result.header.workload["levels"] == [3]


def test_one_process_until_the_run_time_is_over(team: Team, testbed: Testbed, server: Server) -> None:
    team.locust("master", "--headless", "-u", "2", "-t", "6s", *targets(testbed))
    assert team.code() == 0, team.said()
    result = result_of(team, server)
    assert result.footer is not None
    assert (result.footer.reason, result.footer.partial) == ("run_time", False)


def test_too_few_users_for_the_levels_are_refused(team: Team, testbed: Testbed, server: Server) -> None:
    team.start_all(*targets(testbed), "--glm-levels", "1,4", users=2)
    assert team.code() == 64
    assert "levels: 4 users are needed, and Locust starts 2" in team.said()
    assert server.finished() == []


def test_no_target_is_refused_at_once(team: Team) -> None:
    team.locust("master", "--headless")
    assert team.code() == 64
    assert "expected a target: --glm-api, --glm-web or --glm-web-jupyter" in team.said()
    assert team.run_dirs == []


def test_two_runs_from_the_dashboard(team: Team, testbed: Testbed, server: Server) -> None:
    port = free_port()
    for name in ("worker1", "worker2"):
        team.locust(name, "--worker", "--master-port", str(team.port))
    team.start_master(
        "--web-host", "127.0.0.1", "--web-port", str(port), *targets(testbed), "--glm-repeats=2"
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as dashboard:
        until(lambda: workers(dashboard) == 2, f"2 workers; master: {team.said()[-2000:]}")
        for runs in (1, 2):
            assert dashboard.post("/swarm", data={"user_count": 2, "spawn_rate": 10}).json()["success"]
            until(lambda: len(reports(team)) == runs, f"report {runs}; master: {team.said()[-2000:]}")  # noqa: B023
            until(lambda: state(dashboard) == "stopped", "the dashboard to show that the run ended")
    first, second = (read(run_dir) for run_dir in team.run_dirs)
    for result in (first, second):
        assert result.footer is not None
        assert result.footer.reason == "completed"
        assert {record.level for record in result.records} == {2}
        assert result.footer.locust_requests == len(result.records) == 8
    assert first.header.seed != second.header.seed, "no cache of the first run answers the second"
    asked = Counter(r.prompt_id for r in [*first.records, *second.records])
    assert asked == Counter(server.finished())


def reports(team: Team) -> list[Path]:
    return sorted((team.directory / "runs").glob("*/report.html"))


def workers(dashboard: httpx.Client) -> int:
    try:
        return len(dashboard.get("/stats/requests").json().get("workers", []))
    except httpx.HTTPError:
        return 0


def state(dashboard: httpx.Client) -> str:
    return str(dashboard.get("/stats/requests").json()["state"])
