"""Locust's users of the API, of the page and of the page behind Jupyter, all in front of a real engine."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from glm_locust.records import Outcome, digest
from glm_locust.testbed import ENGINE_NOTE, PRESET_NOTE
from tests.comparison.command import Command
from tests.engines.conftest import Served, engine_or_skip
from tests.plugin.team import ROOT, read

pytestmark = [pytest.mark.engines, pytest.mark.servers, pytest.mark.timeout(600)]

PATHS = ("api", "web", "web-jupyter")
TASKS = ("ocr", "compare")


def test_all_paths_get_the_answer(served: Served, tmp_path: Path) -> None:
    command = Command(tmp_path)
    before = served.metrics() if served.engine.has_metrics else {}
    options = [f"--tasks={','.join(TASKS)}", "--repeats=2", "--warmup=0", "--levels=2", "--seed=7"]
    if served.engine.has_metrics:
        options.append(f"--metrics={served.testbed.api_url}/metrics")
    assert command.run(*command.against(served.testbed), *options) == 0, command.said
    (run_dir,) = command.run_dirs
    records = read(run_dir).records
    assert Counter((record.path, record.task) for record in records) == {
        (path, task): 2 for path in PATHS for task in TASKS
    }
    assert {record.outcome for record in records} == {Outcome.OK}
    # The page leaves the reasoning out, wherever the engine puts it, and shows the same answer.
    assert {record.answer_digest for record in records} == {digest(served.reply.answer)}
    if before:
        after = served.metrics()
        for name in ("vllm:request_success_total", "vllm:time_to_first_token_seconds_count"):
            assert after[name] - before[name] == len(records)
    assert "simulated" not in command.printed
    assert PRESET_NOTE["en"][:30] not in (run_dir / "report.html").read_text()


def test_the_demo_with_an_engine(tmp_path: Path) -> None:
    engine, _ = engine_or_skip("transformers")
    command = Command(tmp_path)
    command.environment["GLM_LOCUST_ENGINE_PYTHON"] = str(engine.python)
    assert command.run("--engine=transformers", "--tasks=ocr", "--repeats=1", "--warmup=0") == 0, command.said
    assert ENGINE_NOTE["en"] in command.said
    (run_dir,) = command.run_dirs
    assert Counter(record.path for record in read(run_dir).records) == dict.fromkeys(PATHS, 1)
    assert "Median TT" in command.printed


def test_the_testbed_with_an_engine() -> None:
    engine, _ = engine_or_skip("transformers")
    command = [sys.executable, "-m", "glm_locust", "testbed", "--engine=transformers", "--no-web"]
    environment = os.environ | {"GLM_LOCUST_ENGINE_PYTHON": str(engine.python)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while "Ctrl-C ends it." not in (lines or [""])[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], f"ended early: {lines}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert lines[0].startswith("API      http://127.0.0.1:")
    assert ENGINE_NOTE["en"] in "".join(lines)
    assert "truth" not in "".join(lines)
