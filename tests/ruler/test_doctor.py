"""`glm-locust doctor`: a real Locust against the server whose truth is known."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glm_locust.errors import ExitCode


def doctor(cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "glm_locust", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=cwd,
    )


def test_without_the_ruler_it_tells_of_the_machine(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert (done.returncode, done.stderr) == (ExitCode.PASS, "")
    assert "open files" in done.stdout
    assert "woken up" in done.stdout


@pytest.mark.servers
def test_the_ruler(tmp_path: Path) -> None:
    done = doctor(
        tmp_path,
        *("--ruler", "--streams", "3,1", "--seconds", "5", "--tokens", "30"),
        *("--ttft-ms", "100", "--itl-ms", "10", "--json"),
    )
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    rows = told["ruler"]["rows"]
    assert [row["streams"] for row in rows] == [1, 3]
    for row in rows:
        assert row["failed"] == 0
        assert row["requests"] >= 1
        assert 0 < row["ttft_p50_us"] <= row["ttft_p99_us"] < 1_000_000
        assert row["itl_p99_us"] is None or row["itl_p99_us"] >= 0
        assert 0 < row["tokens_per_s"] <= row["streams"] * 30 / 0.39
    trusted = told["ruler"]["trusted_streams"]
    upto = [row["streams"] for row in itertools.takewhile(lambda row: row["trusted"], rows)]
    assert trusted == max(upto, default=0)
    assert done.returncode == (ExitCode.PASS if trusted else ExitCode.INVALID)
    assert not [*tmp_path.iterdir()], "it leaves nothing behind"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--streams", "1,many"], "--streams: expected numbers from 1 to 5000, like 1,50,200, got '1,many'"),
        (["--streams", "0"], "--streams: expected numbers from 1 to 5000"),
        (["--seconds", "0"], "--seconds: expected a number from 1 to 3600, got 0"),
        (["--tokens", "1"], "--tokens: expected a number from 2 to 3600, got 1"),
        (["--itl-ms", "nan"], "--itl-ms: expected a number from 1 to 60000, got nan"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = doctor(tmp_path, *arguments)
    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert says in line
