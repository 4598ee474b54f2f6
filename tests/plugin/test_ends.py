"""However a run ends: answers of the server = records = Locust's own count."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glm_locust.records import Outcome, RunFooter
from tests.plugin.team import Result, Team, read, until

pytestmark = pytest.mark.servers


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


def the_run(team: Team) -> tuple[Result, RunFooter]:
    (run_dir,) = team.run_dirs
    result = read(run_dir)
    assert result.footer is not None
    return result, result.footer


def assert_everything_counted(team: Team) -> RunFooter:
    result, footer = the_run(team)
    finished = [record for record in result.records if record.outcome is not Outcome.CANCELLED]
    assert Counter(r.prompt_id for r in finished) == Counter(team.answered())
    assert footer.locust_requests == len(finished) == footer.counts["ok"] + footer.counts["failed"]
    assert sum(footer.counts.values()) == len(result.records)
    assert not list((team.run_dirs[0] / "spool").glob("*")), "everything was delivered"
    for worker, account in footer.workers.items():
        seqs = [record.seq for record in result.records if record.worker_id == worker]
        assert sorted(seqs) == list(range(1, account["records"] + 1))
        assert not account["lost"]
    return footer


def interrupt_group(team: Team) -> None:
    """As a terminal does with --processes: every process of the group gets it at once."""
    for name in ("master", "worker1", "worker2"):
        team.kill(name, signal.SIGINT)


def terminate_group(team: Team) -> None:
    for name in ("master", "worker1", "worker2"):
        team.kill(name, signal.SIGTERM)


ENDS: list[tuple[str, Callable[[Team], None], str, int]] = [
    ("Ctrl-C reaches all processes", interrupt_group, "interrupted", 130),
    ("Ctrl-C reaches the master alone", lambda team: team.kill("master", signal.SIGINT), "interrupted", 130),
    ("SIGTERM reaches the master", lambda team: team.kill("master", signal.SIGTERM), "stopped", 0),
    ("SIGTERM reaches all processes", terminate_group, "stopped", 0),
]


@pytest.mark.parametrize(("end", "reason", "code"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS])
def test_ended_by_a_signal(team: Team, end: Callable[[Team], None], reason: str, code: int) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(25)
    end(team)
    assert team.code() == code, team.said()
    footer = assert_everything_counted(team)
    assert footer.reason == reason
    assert footer.partial
    assert len(footer.workers) == 2
    assert footer.counts["cancelled"] == 0


def test_ended_by_run_time(team: Team) -> None:
    team.start_all("-t", "4s")
    assert team.code() == 0, team.said()
    footer = assert_everything_counted(team)
    assert (footer.reason, footer.partial) == ("run_time", False)
    assert footer.counts["ok"] > 0


def test_local_run_interrupted(team: Team) -> None:
    team.locust("master", "--headless", "-u", "5", "-r", "5", "--only-summary")
    team.wait_for_answers(10)
    team.kill("master", signal.SIGINT)
    assert team.code() == 130, team.said()
    footer = assert_everything_counted(team)
    assert footer.reason == "interrupted"
    assert not footer.partial, "without a run time there was no plan to leave unfinished"


def test_forked_workers_interrupted_as_one_group(team: Team) -> None:
    port = str(team.port)
    team.locust(
        "master",
        "--processes",
        "2",
        "--master-bind-port",
        port,
        "--master-port",
        port,
        "--headless",
        "-u",
        "10",
        "-r",
        "10",
        "--only-summary",
    )
    team.wait_for_answers(25)
    os.killpg(team.processes["master"].pid, signal.SIGINT)
    assert team.code() == 130, team.said()
    footer = assert_everything_counted(team)
    assert len(footer.workers) == 2


def test_a_worker_that_is_terminated_leaves_nothing_behind(team: Team) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(15)
    team.kill("worker1", signal.SIGTERM)
    assert team.code("worker1") == 0, team.said("worker1")
    answered = len(team.answered())
    team.wait_for_answers(answered + 10)
    team.kill("master", signal.SIGINT)
    assert team.code() == 130, team.said()
    assert_everything_counted(team)


def test_a_killed_worker_is_lost_and_the_run_invalid(team: Team) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(25)
    team.kill("worker1", signal.SIGKILL)
    until(lambda: "is lost (no heartbeat)" in team.said(), "the master notices")
    team.kill("master", signal.SIGINT)
    assert team.code() == 4, team.said()
    result, footer = the_run(team)
    assert sorted(account["lost"] for account in footer.workers.values()) == [False, True]
    assert {r.prompt_id for r in result.records} <= set(team.answered())
    assert "lost workers" in team.said()


def test_a_lost_worker_may_be_allowed(team: Team) -> None:
    team.start_all("-t", "600s", "--glm-allow-lost-workers")
    team.wait_for_answers(25)
    team.kill("worker1", signal.SIGKILL)
    team.kill("master", signal.SIGTERM)
    assert team.code() == 0, team.said()
    _, footer = the_run(team)
    assert sum(account["lost"] for account in footer.workers.values()) == 1


def test_a_run_without_workers_left_ends(team: Team) -> None:
    team.start_all()
    team.wait_for_answers(25)
    team.kill("worker1", signal.SIGKILL)
    team.kill("worker2", signal.SIGKILL)
    assert team.code() == 4, team.said()
    _, footer = the_run(team)
    assert all(account["lost"] for account in footer.workers.values())


def test_what_takes_longer_than_the_drain_is_cancelled(tmp_path: Path) -> None:
    with Team(tmp_path, answer_s=500, liveness=30) as team:
        team.start_all("-t", "600s", "--glm-drain-timeout", "0.5")
        until(lambda: team.log.read_text().count("begun") == 10, "ten questions under way")
        team.kill("master", signal.SIGTERM)
        assert team.code() == 0, team.said()
        footer = assert_everything_counted(team)
        assert footer.counts == {"ok": 0, "failed": 0, "cancelled": 10}


def test_a_second_interrupt_ends_the_waiting(tmp_path: Path) -> None:
    with Team(tmp_path, answer_s=500, liveness=30) as team:
        team.start_all("-t", "600s", "--glm-drain-timeout", "500")
        until(lambda: team.log.read_text().count("begun") == 10, "ten questions under way")
        team.kill("master", signal.SIGINT)
        until(lambda: "waits for requests in flight" in team.said(), "the drain has begun")
        team.kill("master", signal.SIGINT)
        assert team.code() == 130, team.said()
        footer = assert_everything_counted(team)
        assert footer.counts["cancelled"] == 10
