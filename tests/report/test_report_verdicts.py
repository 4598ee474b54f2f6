"""Objectives in report, summary and JUnit file: met, not met, cannot be told."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from reporting import summary_of
from synthetic_run import Recipe, Run, make, write

from glm_locust.records import ErrorKind
from glm_locust.report import Report, write_report
from glm_locust.slo import Ruling, parse

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "summary.schema.json").read_text())
MET, NOT_MET, TOO_FEW = "/ocr: ttft p95 < 2 s", "web: ttft p95 < 10 ms", "failures < 0.1 %"
JUNIT = "junit.xml"
SMALL = Recipe(paths=("web",), tasks=("ocr",), repeats=40)


def judged(directory: Path, *texts: str, run: Run | None = None, **how: Any) -> Report:
    run = run or make(SMALL)
    run.header = msgspec.structs.replace(run.header, slo=texts)
    write(run, directory, footer=how.pop("footer", True))
    return write_report(directory, junit=directory / JUNIT, **how)


def cases(directory: Path) -> dict[str, list[str]]:
    """Name of each test case -> what stands in it."""
    suites = ET.parse(directory / JUNIT).getroot()
    (suite,) = suites
    found = {case.attrib["name"]: [one.tag for one in case] for case in suite.findall("testcase")}
    for element in (suites, suite):
        assert int(element.attrib["tests"]) == len(found)
        for word in ("failures", "errors"):
            assert int(element.attrib[word]) == sum(word.removesuffix("s") in tags for tags in found.values())
    return found


RULINGS = [
    ("all met", [MET], Ruling.PASS, 0, "Objectives met"),
    ("one not met", [MET, NOT_MET], Ruling.FAIL, 3, "Objectives not met"),
    ("one cannot be told", [MET, NOT_MET, TOO_FEW], Ruling.INVALID, 4, "No verdict"),
]


@pytest.mark.parametrize(
    ("texts", "ruling", "code", "title"), [r[1:] for r in RULINGS], ids=[r[0] for r in RULINGS]
)
def test_a_run_is_judged_by_its_own_objectives(
    tmp_path: Path, texts: list[str], ruling: Ruling, code: int, title: str
) -> None:
    judgement = judged(tmp_path, *texts).judgement
    assert judgement is not None
    assert (judgement.ruling, judgement.exit_code) == (ruling, code)
    summary = summary_of(tmp_path)
    jsonschema.validate(summary, SCHEMA)
    assert summary["verdicts"]["ruling"] == ruling
    assert [one["objective"] for one in summary["verdicts"]["objectives"]] == texts
    assert f"**{title}.**" in (tmp_path / "summary.md").read_text()
    assert f"<strong>{title}.</strong>" in (tmp_path / "report.html").read_text()


def test_one_test_case_per_objective(tmp_path: Path) -> None:
    judged(tmp_path, MET, NOT_MET, TOO_FEW)
    assert cases(tmp_path) == {MET: ["system-out"], NOT_MET: ["failure"], TOO_FEW: ["error"]}
    names = [case.attrib["classname"] for case in ET.parse(tmp_path / JUNIT).iter("testcase")]
    assert names == ["slo.ocr", "slo.web", "slo"]


def test_the_command_line_goes_before_the_run(tmp_path: Path) -> None:
    report = judged(tmp_path, NOT_MET, objectives=[parse(MET)])
    assert report.judgement is not None
    assert [verdict.objective.text for verdict in report.judgement.verdicts] == [MET]


def test_without_objectives_there_is_no_verdict(tmp_path: Path) -> None:
    assert judged(tmp_path).judgement is None
    assert summary_of(tmp_path)["verdicts"] is None
    assert cases(tmp_path) == {}
    assert 'id="objectives"' not in (tmp_path / "report.html").read_text()


def lost_worker(run: Run) -> None:
    workers = dict(run.footer.workers)
    workers["w1"] = workers["w1"] | {"lost": True}
    run.footer = msgspec.structs.replace(run.footer, workers=workers)


def missing_record(run: Run) -> None:
    del run.records[3]


def disk_full(run: Run) -> None:
    run.footer = msgspec.structs.replace(run.footer, reason="disk_full")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (lost_worker, "lost workers: w1"),
        (missing_record, "1 records are missing"),
        (disk_full, "disk was full"),
    ],
)
def test_a_run_that_cannot_be_trusted_has_no_verdict(tmp_path: Path, trouble: Any, said: str) -> None:
    run = make(SMALL)
    trouble(run)
    report = judged(tmp_path, MET, NOT_MET, run=run)
    assert report.judgement is not None
    assert report.judgement.exit_code == 4
    assert said in report.lines[-1]
    assert cases(tmp_path) == {MET: ["error"], NOT_MET: ["error"]}
    jsonschema.validate(summary_of(tmp_path), SCHEMA)


def test_lost_workers_may_be_allowed(tmp_path: Path) -> None:
    run = make(SMALL)
    lost_worker(run)
    report = judged(tmp_path, MET, run=run, allow_lost_workers=True)
    assert report.judgement is not None
    assert report.judgement.exit_code == 0


def test_a_run_that_never_wrote_its_end_has_no_verdict(tmp_path: Path) -> None:
    report = judged(tmp_path, MET, footer=False)
    assert report.judgement is not None
    assert report.judgement.ruling is Ruling.INVALID


def test_an_objective_of_a_later_version_is_told_not_skipped(tmp_path: Path) -> None:
    report = judged(tmp_path, MET, "ttft p95 within reason")
    assert report.judgement is not None
    assert report.judgement.ruling is Ruling.INVALID
    assert "cannot read the objective ttft p95 within reason" in report.lines[-1]


def test_failures_on_one_path(tmp_path: Path) -> None:
    run = make(replace(SMALL, paths=("api", "web"), failures={("web", ErrorKind.CONNECT): 3}))
    report = judged(tmp_path, "web: failures < 5 %", "api: failures < 5 %", run=run)
    assert report.judgement is not None
    assert [verdict.ruling for verdict in report.judgement.verdicts] == [Ruling.FAIL, Ruling.PASS]
    assert report.lines[0].replace("\u00a0", " ") == "not met: web: failures < 5 %: 7.0 % (n = 43)"


def test_a_record_that_was_written_twice_is_judged_once(tmp_path: Path) -> None:
    run = make(SMALL)
    run.records += run.records
    report = judged(tmp_path, "ttft p50 < 9 s", run=run)
    assert report.judgement is not None
    assert report.judgement.verdicts[0].n == 40


@pytest.mark.parametrize("task", ["a\x00b\x1b[31m", "<b>&\"'", "]]>", "\ud83d", "图表"])
def test_what_a_data_set_calls_its_tasks_breaks_no_file(tmp_path: Path, task: str) -> None:
    objective = f"web/{task}: ttft p50 < 2 s"
    report = judged(tmp_path, MET, objectives=[parse(objective)])
    assert report.judgement is not None
    assert report.judgement.ruling is Ruling.INVALID
    (name,) = cases(tmp_path)
    assert name.startswith("web/")
    assert "<b>&" not in (tmp_path / "report.html").read_text()
    jsonschema.validate(summary_of(tmp_path), SCHEMA)
