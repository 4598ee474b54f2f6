"""Objectives decide how `locust --headless` ends, and are told in summary and JUnit file however it ends."""

import json
import signal
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.team import Team, until

pytestmark = pytest.mark.servers

EASY, HARD, UNTOLD = "ttft p50 < 600 s", "ttft p50 < 0.001 ms", "ttft p99.99 < 600 s"


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with Team(tmp_path, answer_s=0.1) as team:
        yield team


def started(team: Team, *objectives: str) -> None:
    """A local run of 4 users that has 8 answers."""
    options = ("--headless", "-u", "4", "-r", "4", "-t", "600s", "--only-summary", "--glm-junit=ci/junit.xml")
    team.locust("master", *options, *(f"--glm-slo={text}" for text in objectives))
    team.wait_for_answers(8)


def summary(team: Team) -> Any:
    (run_dir,) = team.run_dirs
    assert (run_dir / "report.html").exists()
    return json.loads((run_dir / "summary.json").read_text())


def cases(team: Team) -> dict[str, list[str]]:
    root = ET.parse(team.directory / "ci/junit.xml").getroot()
    return {case.attrib["name"]: [one.tag for one in case] for case in root.iter("testcase")}


ENDS = [
    ("met", signal.SIGTERM, [EASY], 0, "pass", "met: ttft p50 < 600 s: "),
    ("one not met", signal.SIGTERM, [EASY, HARD], 3, "fail", "not met: ttft p50 < 0.001 ms: "),
    (
        "one that the run cannot tell",
        signal.SIGTERM,
        [EASY, HARD, UNTOLD],
        4,
        "invalid",
        "cannot be told: ttft p99.99 < 600 s: n/a",
    ),
    ("met so far, but Ctrl-C cut the plan short", signal.SIGINT, [EASY], 130, "pass", "met: ttft"),
    ("not met, and Ctrl-C", signal.SIGINT, [EASY, HARD], 3, "fail", "not met: ttft"),
]


@pytest.mark.parametrize(
    ("number", "texts", "code", "ruling", "line"), [e[1:] for e in ENDS], ids=[e[0] for e in ENDS]
)
def test_the_verdict_is_the_exit_code_and_is_told(
    team: Team, number: signal.Signals, texts: list[str], code: int, ruling: str, line: str
) -> None:
    started(team, *texts)
    team.kill("master", number)
    assert team.code() == code, team.said()
    assert f"glm-locust: {line}" in team.said().replace("\u00a0", " ")
    verdicts = summary(team)["verdicts"]
    assert verdicts["ruling"] == ruling
    assert [one["objective"] for one in verdicts["objectives"]] == texts
    tags = {EASY: ["system-out"], HARD: ["failure"], UNTOLD: ["error"]}
    assert cases(team) == {text: tags[text] for text in texts}


@pytest.mark.parametrize(("texts", "code"), [([EASY], 0), ([], 1)], ids=["objectives met", "none given"])
def test_failed_requests_fail_a_run_only_where_no_objective_is_given(
    team: Team, texts: list[str], code: int
) -> None:
    started(team, *texts)
    team.kill("server", signal.SIGKILL)
    (run_dir,) = team.run_dirs
    until(lambda: '"outcome":"failed"' in (run_dir / "run.jsonl").read_text(), "requests fail")
    team.kill("master", signal.SIGTERM)
    assert team.code() == code, team.said()
    assert summary(team)["counts"]["failed"] > 0
    assert list(cases(team)) == texts


REFUSED = [
    ("a mistake", ["--glm-slo=ttft p95 < 2 s please"], "expected nothing more"),
    ("a directory", ["--glm-junit=."], "junit: expected a file"),
]


@pytest.mark.parametrize(("options", "message"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_cannot_be_judged_is_refused_before_any_load(
    team: Team, options: list[str], message: str
) -> None:
    team.locust("master", "--headless", "-u", "4", "-t", "600s", *options)
    assert team.code() == 64
    assert message in team.said()
    assert "Traceback" not in team.said()
    assert not team.run_dirs
