"""`glm-locust diff`: exit codes, pages, JSON, refusals."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from synthetic_run import Recipe, make, write

from glm_locust.cli import main

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "diff.schema.json").read_text())


def recorded(directory: Path, seed: int, slower_ms: float = 0, **how: Any) -> Path:
    header = {"run_id": f"20250714-08000{seed}-{directory.name}"} | how.pop("header", {})
    how = {"paths": ("api", "web"), "tasks": ("ocr", "chart"), "repeats": 20} | how
    recipe = Recipe(seed=seed, noise_ms=8, network_ms=2 + slower_ms, header=header, **how)
    return write(make(recipe), directory)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("runs")
    return {
        "base": recorded(top / "base", 1),
        "same": recorded(top / "same", 2),
        "slower": recorded(top / "slower", 3, slower_ms=40),
    }


CODES = [
    ("nothing is asked for: nothing fails", "slower", [], 0),
    ("it came true", "slower", ["ttft p50 > +10 %"], 3),
    ("it did not", "same", ["ttft p50 > +10 %", "failures > +5 %"], 0),
    ("it cannot be told", "slower", ["ttft p50 > +10 %", "ttft p99 > +10 %"], 4),
]


@pytest.mark.parametrize(("new", "conditions", "code"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_exit_codes(
    runs: dict[str, Path], tmp_path: Path, new: str, conditions: list[str], code: int
) -> None:
    typed = [f"--fail-if={condition}" for condition in conditions]
    assert main(["diff", str(runs["base"]), str(runs[new]), "--out", str(tmp_path), *typed]) == code
    found = json.loads((tmp_path / "diff.json").read_text())
    jsonschema.validate(found, SCHEMA)
    assert found["ruling"] == ({0: "pass", 3: "fail", 4: "invalid"}[code] if conditions else None)
    page = (tmp_path / "diff.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "http://" not in page.split("<script", 1)[0].replace("http://127.0.0.1", "")
    assert (tmp_path / "diff.md").read_text().count("\n## ") >= 4


def test_what_is_said(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        ["diff", str(runs["base"]), str(runs["slower"]), "--out", str(tmp_path), "--fail-if=ttft p50 > +10 %"]
    )
    said = capsys.readouterr().out.replace("\u00a0", " ")
    assert "are worse and 0 better" in said
    assert "ttft p50 > +10 %: came true (ttft p50, API +" in said
    assert said.endswith(f"{tmp_path / 'diff.html'}\n")


def test_without_out_the_files_stand_in_the_new_run(tmp_path: Path) -> None:
    base, new = recorded(tmp_path / "a", 1, repeats=6), recorded(tmp_path / "b", 2, repeats=6)
    assert main(["diff", str(base), str(new)]) == 0
    assert (new / "diff.html").exists()
    assert not (base / "diff.html").exists()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["diff", *words]) == 64
    return capsys.readouterr().err


def test_different_workloads_are_refused_unless_told(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = recorded(tmp_path / "other", 4, tasks=("ocr", "reason"))
    message = refused(capsys, str(runs["base"]), str(other))
    assert "asked different things (tasks: [ocr chart], [ocr reason])" in message
    words = ["diff", str(runs["base"]), str(other), "--allow-different-workload", "--out", str(tmp_path)]
    assert main(words) == 0
    assert json.loads((tmp_path / "diff.json").read_text())["different_workload"]
    assert "**Different workloads.**" in (tmp_path / "diff.md").read_text()


def test_what_cannot_be_compared_is_one_line(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(runs["base"])
    empty = write(make(Recipe(repeats=0, warmup=0)), tmp_path / "empty")
    only_web = recorded(tmp_path / "web", 1, paths=("web",), header={"workload": {}})
    only_api = recorded(tmp_path / "api", 1, paths=("api",), header={"workload": {}})
    (tmp_path / "not-a-run").mkdir()
    for words, message in (
        ((base, str(tmp_path / "nowhere")), "nothing of that name"),
        ((base, str(tmp_path / "not-a-run")), "not a run directory"),
        ((str(empty), base), "holds no measured request"),
        ((str(only_api), str(only_web)), "have no path in common"),
        ((base, base, "--fail-if=tfft p95 > +10 %"), "did you mean ttft?"),
        ((base, base, "--smallest=few"), "--smallest: expected a share like 3 %"),
        ((base, base, "--lang=xx"), "lang: expected one of en"),
        ((base, base, f"--out={tmp_path / 'empty' / 'run.jsonl'}"), "cannot be made"),
    ):
        assert message in refused(capsys, *words)


def test_a_run_that_cannot_be_trusted_cannot_tell(runs: dict[str, Path], tmp_path: Path) -> None:
    run = make(Recipe(paths=("api", "web"), tasks=("ocr", "chart"), repeats=20, seed=5))
    cut = write(run, tmp_path / "cut", footer=False)
    words = ["diff", str(runs["base"]), str(cut), "--out", str(tmp_path)]
    assert main(words) == 0
    assert main([*words, "--fail-if=ttft p50 > +10 %"]) == 4
    assert "the run never wrote its end" in (tmp_path / "diff.md").read_text()


def test_names_from_outside_are_text(tmp_path: Path) -> None:
    task = "<img src=x onerror=alert(1)>"
    base, new = (recorded(tmp_path / name, 1, tasks=(task, "ocr")) for name in ("a", "b"))
    assert main(["diff", str(base), str(new)]) == 0
    assert task not in (new / "diff.html").read_text().split('<script type="application/json"')[0]
    assert task not in (new / "diff.md").read_text()
