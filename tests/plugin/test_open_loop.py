"""Open loop by real workers: requests come when they are due, whatever server and workers do."""

import itertools
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glm_locust.records import Outcome, Phase, RequestRecord
from tests.plugin.team import Result, Team, read, until

pytestmark = pytest.mark.servers


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path, answer_s=0.04) as team:
        yield team


def the_run(team: Team) -> Result:
    (run_dir,) = team.run_dirs
    return read(run_dir)


def due_s(records: list[RequestRecord]) -> np.ndarray:
    return np.array(sorted(record.scheduled_ns for record in records)) * 1e-9


def e2e_s(record: RequestRecord) -> float:
    """The user's view: from the instant at which the request was due."""
    return (record.finished_ns - record.scheduled_ns) * 1e-9


def test_two_workers_make_one_sequence(team: Team) -> None:
    team.start_all("-t", "8s", "--glm-arrivals", "constant:20/s", users=20)
    assert team.code() == 0, team.said()
    result = the_run(team)
    assert result.header.workload["arrivals"] == "constant:20/s"
    assert result.footer is not None
    assert result.footer.arrivals == {"started": len(result.records), "dropped": 0}
    assert result.footer.partial is False
    shares = [account["arrivals"]["started"] for account in result.footer.workers.values()]
    assert len(shares) == 2
    assert abs(shares[0] - shares[1]) <= 1, "every second one each"
    gaps = np.diff(due_s(result.records))
    assert gaps == pytest.approx(0.05, abs=1e-6), "one sequence, on one clock"
    assert len(result.records) >= 60
    warmup = [record for record in result.records if record.phase is Phase.WARMUP]
    assert [record.scheduled_ns for record in warmup] == [min(r.scheduled_ns for r in result.records)]
    assert "poisson" not in team.said()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, 4), (signal.SIGTERM, 0)], ids=["killed", "left"])
def test_a_worker_that_goes_is_taken_over(team: Team, how: signal.Signals, code: int) -> None:
    team.start_all("--glm-arrivals", "poisson:30/s", "-t", "600s", users=40)
    team.wait_for_answers(40)
    team.kill("worker1", how)
    until(lambda: team.processes["worker1"].poll() is not None, "it is gone")
    # At half the rate this takes twice as long: the others must have taken over well before its end.
    team.wait_for_answers(len(team.answered()) + 300)
    team.kill("master", signal.SIGTERM)
    assert team.code() == code, team.said()
    result = the_run(team)
    assert result.footer is not None
    due = due_s(result.records)
    last = due[due > due[-1] - 4]
    assert 75 <= len(last) <= 165, "the one that is left makes all 30/s"
    lost = [int(note.split()[1]) for note in result.footer.notes if "lost with worker" in note]
    assert len(lost) == 1
    assert lost[0] < (120 if how is signal.SIGKILL else 45)
    assert len(set(due)) == len(due), "no arrival is made twice"


def test_what_is_due_while_all_wait_is_dropped_and_told(tmp_path: Path) -> None:
    with Team(tmp_path, answer_s=2) as team:
        team.start_all("-t", "8s", "--glm-arrivals", "constant:20/s", "--glm-drain-timeout", "10", users=4)
        assert team.code() == 0, team.said()
        result = the_run(team)
        assert result.footer is not None
        assert result.footer.arrivals is not None
        started, dropped = result.footer.arrivals["started"], result.footer.arrivals["dropped"]
        assert started == len(result.records)
        assert dropped > 3 * started
        assert {record.outcome for record in result.records} == {Outcome.OK}
        assert max(r.sent_ns - r.scheduled_ns for r in result.records if r.sent_ns) < 0.5e9, "none waited"
        assert f"{dropped} of {started + dropped} requests" in team.said()
        assert "--glm-max-in-flight" in team.said()


def test_a_trace_ends_the_run(team: Team) -> None:
    rows = [{"timestamp": 100 + 0.1 * n, "prompt": f"asked {n}", "task": "mine"} for n in range(30)]
    trace = team.directory / "trace.jsonl"
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows))
    team.start_all("--glm-arrivals", f"trace:{trace},speed=2", users=10)
    assert team.code() == 0, team.said()
    result = the_run(team)
    assert result.footer is not None
    assert (result.footer.reason, result.footer.partial) == ("completed", False)
    assert result.footer.arrivals == {"started": 30, "dropped": 0}
    assert {record.task for record in result.records} == {"mine"}
    assert len({record.prompt_id for record in result.records}) == 30
    assert np.diff(due_s(result.records)) == pytest.approx(0.05, abs=1e-6)


STALL_S = 1.5


def stalled(team: Team, *arguments: str, users: int) -> list[RequestRecord]:
    """A run during which the server stops for a while."""
    team.start_all("-t", "600s", *arguments, users=users)
    team.wait_for_answers(40)
    team.kill("server", signal.SIGSTOP)
    threading.Event().wait(STALL_S)
    team.kill("server", signal.SIGCONT)
    answered = len(team.answered())
    team.wait_for_answers(answered + 60)
    team.kill("master", signal.SIGTERM)
    assert team.code() == 0, team.said()
    assert "Unknown message" not in team.said()
    return [r for r in the_run(team).records if r.outcome is Outcome.OK and r.phase is Phase.MEASURE]


def test_a_stall_is_seen_by_all_who_would_have_come(tmp_path: Path) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
    with Team(tmp_path / "open", answer_s=0.04) as team:
        opened = stalled(team, "--glm-arrivals", "constant:20/s", users=60)
    with Team(tmp_path / "closed", answer_s=0.04) as team:
        closed = stalled(team, "--glm-think-time", "0.06", users=2)
    # 20 a second were due during the stall; each waited for what was left of it.
    waited = sorted(e2e_s(record) for record in opened if e2e_s(record) > 0.3)
    assert len(waited) == pytest.approx(20 * (STALL_S - 0.3), abs=8)
    assert waited[-1] == pytest.approx(STALL_S, abs=0.5)
    assert np.diff(waited).max() < 0.3, "evenly: nobody was left out"
    # Two users ask again only when they are answered: to them the stall is two slow requests of many.
    assert sum(e2e_s(record) > 0.3 for record in closed) == 2
    p95 = [float(np.quantile([e2e_s(record) for record in run], 0.95)) for run in (opened, closed)]
    assert p95[0] > 3 * p95[1]


WRONG = [
    (("--glm-arrivals", "poison:12/s"), "did you mean poisson?"),
    (("--glm-arrivals", "trace:nowhere.jsonl"), "nowhere.jsonl: cannot read the trace"),
    (
        ("--glm-arrivals", "poisson:1/s", "--glm-levels", "1,2"),
        "--glm-levels: expected no levels beside arrivals",
    ),
    (("--glm-arrivals", "poisson:1/s", "--glm-max-in-flight", "3", "-u", "4"), "and -u says 4"),
    (("--glm-max-in-flight", "3"), "--glm-max-in-flight: expected arrivals to be given as well"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_mistake_ends_it_before_any_load(team: Team, arguments: tuple[str, ...], message: str) -> None:
    team.locust("master", "--headless", "-t", "2s", *arguments)
    assert team.code() == 64
    assert message in team.said()
    assert "Traceback" not in team.said()
    assert not team.answered()


def test_one_process_does_it_all_until_it_is_interrupted(team: Team) -> None:
    team.locust(
        "master", "--headless", "-u", "20", "--only-summary", "--glm-arrivals", "ramp:5/s..30/s,over=3s"
    )
    team.wait_for_answers(90)
    team.kill("master", signal.SIGINT)
    assert team.code() == 130, team.said()
    result = the_run(team)
    due = due_s(result.records)
    seconds = [int(np.count_nonzero((due - due[0] >= a) & (due - due[0] < a + 1))) for a in (0, 2)]
    assert seconds[0] < seconds[1]
    assert result.footer is not None
    assert result.footer.arrivals == {"started": len(due), "dropped": 0}
    assert not result.footer.partial, "an open loop has no end of its own"
    assert all(b > a for a, b in itertools.pairwise(due))
