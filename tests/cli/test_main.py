"""The command line: one line for what is wrong, and the exit code that belongs to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from glm_locust import __version__
from glm_locust.cli import COMMANDS, main

WRONG = [
    ("nothing typed", [], "COMMAND"),
    ("an unknown command", ["compair"], "compair"),
    ("recover nothing", ["recover"], "RUN_DIR"),
    ("recover what is not there", ["recover", "/nowhere/at/all"], "/nowhere/at/all"),
    ("an unknown option", ["recover", "x", "--fast"], "--fast"),
]


@pytest.mark.parametrize(("arguments", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glm-locust: ")
    assert message in line


def test_help_names_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--help"])
    assert error.value.code == 0
    help_text = capsys.readouterr().out
    assert all(f"\n    {name} " in help_text for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"glm-locust {__version__}\n"


def test_a_missing_extra_breaks_no_other_command(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['fastapi'] = sys.modules['streamlit'] = sys.modules['locust'] = None\n"
        "from glm_locust.cli import main\n"
        "sys.exit(main(['recover', 'none']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 64
    assert done.stderr == "glm-locust: none: expected the directory of a run, it holds no run.jsonl\n"


def test_a_reader_that_goes_away_is_no_crash() -> None:
    command = f"{sys.executable} -m glm_locust recover --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
