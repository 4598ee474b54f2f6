"""`glm-locust compare --slo`: the verdict is the exit code, and is told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.cli import main
from glm_locust.testbed import Testbed
from tests.comparison.command import Command


@pytest.fixture(scope="module")
def api_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Testbed(web=False, jupyter=False, workdir=tmp_path_factory.mktemp("api")) as testbed:
        yield testbed.api_url


CODES = [
    ("met", ["ttft p50 < 600 s"], 0, "met: ttft p50 < 600 s"),
    ("not met", ["ttft p50 < 600 s", "api: e2e max < 1 ms"], 3, "not met: api: e2e max < 1 ms"),
    ("it cannot tell", ["api: e2e max < 1 ms", "failures < 1 %"], 4, "cannot be told: failures < 1 %"),
]


@pytest.mark.servers
@pytest.mark.parametrize(("texts", "code", "line"), [c[1:] for c in CODES], ids=[c[0] for c in CODES])
def test_exit_codes(command: Command, api_url: str, texts: list[str], code: int, line: str) -> None:
    junit = command.directory / "junit.xml"
    options = ["--tasks=ocr", "--repeats=3", "--warmup=0", "--workers=1", f"--junit={junit}"]
    assert command.run(f"--api={api_url}", *options, *(f"--slo={text}" for text in texts)) == code
    assert f"glm-locust: {line}" in command.said
    (run_dir,) = command.run_dirs
    verdicts = json.loads((run_dir / "summary.json").read_text())["verdicts"]
    assert [one["objective"] for one in verdicts["objectives"]] == texts
    assert junit.read_text().count("<testcase") == len(texts)


def test_a_mistake_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"--out={tmp_path / 'runs'}", "--slo=ttft p59 < 2 s x"]) == 64
    said = capsys.readouterr().err
    assert said == (
        "glm-locust: --slo: expected nothing more, or over and a duration like 30 s\n"
        "  ttft p59 < 2 s x\n"
        "                 ^\n"
    )
    assert not (tmp_path / "runs").exists()
