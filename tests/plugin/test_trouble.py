"""Things that go wrong in mid-run: a full disk, an exception of ours, no plugin."""

import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.records import RunFooter, decode_line
from glm_locust.sinks import lines_of_run
from tests.plugin.team import LOCUSTFILE, Team, read, until

pytestmark = pytest.mark.servers


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path) as team:
        yield team


def test_a_full_disk_keeps_what_was_recorded(team: Team) -> None:
    team.start_all("-t", "600s")
    team.wait_for_answers(20)
    (run_dir,) = team.run_dirs
    until(lambda: (run_dir / "run.jsonl").read_bytes().count(b"\n") > 10, "some records")
    size = (run_dir / "run.jsonl").stat().st_size + 3000
    resource.prlimit(team.processes["master"].pid, resource.RLIMIT_FSIZE, (size, size))
    assert team.code() == 4, team.said()
    told = [line for line in team.said().splitlines() if "File too large; the run ends here" in line]
    assert len(told) == 1
    lines = [decode_line(line) for line in lines_of_run(run_dir)]  # none is cut
    assert len(lines) > 10
    footer = lines[-1]
    assert isinstance(footer, RunFooter)
    assert footer.reason == "disk_full"
    assert footer.counts["ok"] == len(lines) - 2
    assert list((run_dir / "spool").glob("*.jsonl")), "what was not taken stays with the workers"


FAILING = """
from glm_locust.plugin.master import MasterSide

def fail(*_):
    raise RuntimeError("two\\nlines")

MasterSide._reason = fail
"""


def test_an_exception_of_ours_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    locustfile = tmp_path / "failing.py"
    locustfile.write_text(LOCUSTFILE.read_text() + FAILING)
    with Team(tmp_path, locustfile=locustfile) as team:
        team.locust("master", "--headless", "-u", "3", "-r", "3", "--only-summary")
        team.wait_for_answers(6)
        team.kill("master", signal.SIGTERM)
        assert team.code() == 2, team.said()
        (line,) = [line for line in team.said().splitlines() if "RuntimeError" in line]
        assert line.endswith("MasterSide._finish failed: RuntimeError: two lines")
        (run_dir,) = team.run_dirs
        result = read(run_dir)
        assert len(result.records) == len(team.answered())
        assert result.footer is None


def test_a_locustfile_without_the_plugin(tmp_path: Path) -> None:
    locustfile = tmp_path / "without.py"
    locustfile.write_text(LOCUSTFILE.read_text().replace("plugin.install()\n", ""))
    with Team(tmp_path, locustfile=locustfile) as team:
        team.locust("master", "--headless", "-u", "1")
        team.code()
        assert "call glm_locust.plugin.install() at its top" in team.said()


def test_a_single_user_in_a_debugger(tmp_path: Path) -> None:
    script = tmp_path / "single.py"
    ending = """
if __name__ == "__main__":
    import locust
    locust.run_single_user(MarkerUser)
"""
    script.write_text(LOCUSTFILE.read_text() + ending)
    with Team(tmp_path) as team:
        team.start("master", [sys.executable, str(script)])
        team.wait_for_answers(3)
        team.kill("master", signal.SIGINT)
        team.code("master")
        (run_dir,) = team.run_dirs
        result = read(run_dir)
        assert result.footer is not None, team.said("master")
        assert result.footer.reason == "interrupted"
        ok = result.footer.counts["ok"]
        assert 3 <= ok <= len(team.answered()) <= ok + 1, "one question may have been interrupted"
