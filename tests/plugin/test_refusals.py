"""What the user gave is wrong: one line that says so, exit code 64, no traceback."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.team import Team, free_port, read

pytestmark = pytest.mark.servers

OPTIONS = [
    ("no scenario", ["--glm-scenario", "none.toml"], "none.toml: cannot read"),
    ("directory that cannot be", ["--glm-out", "server.log/runs"], "cannot write to server.log/runs"),
]


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


def assert_one_line(team: Team, message: str) -> None:
    said = team.said()
    (line,) = [line for line in said.splitlines() if line.startswith("glm-locust: ") and "report" not in line]
    assert message in line
    assert "Traceback" not in said
    assert team.answered() == []


@pytest.mark.parametrize(("options", "message"), [o[1:] for o in OPTIONS], ids=[o[0] for o in OPTIONS])
def test_bad_options(team: Team, options: list[str], message: str) -> None:
    team.locust("master", "--headless", "-u", "2", "-r", "2", "-t", "60s", *options)
    assert team.code() == 64, team.said()
    assert_one_line(team, message)


def test_a_target_that_is_not_there(team: Team) -> None:
    team.environment["MARKER_PORT"] = str(free_port())
    team.start_all("-t", "600s")
    assert team.code() == 64, team.said()
    assert_one_line(team, "the marker server does not answer on port")
    (run_dir,) = team.run_dirs
    footer = read(run_dir).footer
    assert footer is not None
    assert (footer.reason, footer.partial) == ("refused", True)


def test_a_worker_without_a_place_for_its_spool(team: Team) -> None:
    team.start_all("-t", "600s", "--glm-spool-dir", "server.log/spools")
    assert team.code() == 64, team.said()
    assert_one_line(team, "server.log/spools")


def test_a_taken_master_port_is_locusts_own_affair(team: Team) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        team.port = taken.getsockname()[1]
        team.start_master("--headless")
        assert team.code() == 1
    assert team.run_dirs == []
