"""After kill -9 of any process, every finished request is in the recovered run exactly once."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.team import Team, read, until

pytestmark = pytest.mark.servers


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


def recover(team: Team, *spools: Path) -> str:
    (run_dir,) = team.run_dirs
    done = subprocess.run(
        [sys.executable, "-m", "glm_locust", "recover", str(run_dir), *map(str, spools)],
        check=False,
        env=team.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_each_answer_once(team: Team) -> None:
    (run_dir,) = team.run_dirs
    result = read(run_dir)
    recorded = Counter(record.prompt_id for record in result.records if record.outcome == "ok")
    assert set(recorded.values()) == {1}
    # What the server finished in the instant of a kill may never have been read.
    assert set(recorded) <= set(team.answered())
    assert result.footer is not None
    assert result.footer.partial
    assert result.footer.counts["ok"] == sum(recorded.values())


def test_the_master_is_killed(team: Team) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(25)
    team.kill("master", signal.SIGKILL)
    answered = len(team.answered())
    until(lambda: len(team.answered()) >= answered + 20, "workers go on without a master")
    for worker in ("worker1", "worker2"):
        team.kill(worker, signal.SIGTERM)
    for worker in ("worker1", "worker2"):
        team.code(worker)
    (run_dir,) = team.run_dirs
    assert read(run_dir).footer is None
    recover(team)
    assert_each_answer_once(team)
    result = read(run_dir)
    assert result.footer is not None
    assert result.footer.reason == "crashed"
    assert Counter(r.prompt_id for r in result.records) == Counter(team.answered())


def test_a_worker_is_killed(team: Team, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    team.start_all("-t", "600s", "--glm-spool-dir", str(spools))
    team.wait_for_answers(25)
    team.kill("worker1", signal.SIGKILL)
    team.kill("master", signal.SIGTERM)
    assert team.code() == 4, team.said()
    (run_dir,) = team.run_dirs
    (left,) = spools.glob("*/*.jsonl")
    assert "is whole" in recover(team) or read(run_dir).footer
    recover(team, left.parent)
    assert_each_answer_once(team)
    seqs = Counter((record.worker_id, record.seq) for record in read(run_dir).records)
    for line in left.read_bytes().splitlines():
        assert b'"line":"request"' in line
    assert sum(1 for worker, _ in seqs if worker == left.stem) == len(left.read_bytes().splitlines())


def test_everything_is_killed(team: Team) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(40)
    for name in ("master", "worker1", "worker2"):
        team.kill(name, signal.SIGKILL)
    for name in ("master", "worker1", "worker2"):
        team.code(name)
    recover(team)
    assert_each_answer_once(team)
    assert "nothing to recover" in recover(team)
    # What each of the ten users was about to read when it was killed was never finished.
    (run_dir,) = team.run_dirs
    assert len(team.answered()) - len(read(run_dir).records) <= 10
