"""What cannot be run is refused in one line, with code 64, before any request is sent."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.testbed import Testbed
from tests.comparison.command import Command
from tests.users.pages import PageServer, page_server

pytestmark = pytest.mark.servers

KEY = "GLM_KEY_OF_THE_REFUSALS"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """A testbed whose API server wants a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY, "the-right-key")
        with Testbed(web=False, api_key_env=KEY, workdir=tmp_path_factory.mktemp("locked")) as testbed:
            yield testbed


@pytest.fixture(scope="module")
def page_to_read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    with page_server("reading", tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture
def nobody() -> Iterator[str]:
    """The URL of a port that is taken, so that nobody else can, and that answers nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def refused(command: Command, *options: str) -> str:
    """The one line of the refusal."""
    assert command.run(*options) == 64, command.said
    (line,) = command.said.splitlines()
    assert command.printed == ""
    assert command.run_dirs == []
    assert not list(command.directory.glob("runs/.compare-*"))
    assert line.startswith("glm-locust: ")
    return line.removeprefix("glm-locust: ")


def test_an_api_that_cannot_be_reached(command: Command, nobody: str) -> None:
    line = refused(command, f"--api={nobody}")
    assert line.startswith(f"api: API at {nobody}/v1: connection refused while connecting")


def test_a_page_that_cannot_be_reached(command: Command, nobody: str, testbed: Testbed) -> None:
    line = refused(command, f"--api={testbed.api_url}", f"--web={nobody}")
    assert line.startswith(f"web: page {nobody}: connection refused while connecting")


def test_a_model_that_is_not_served(command: Command, testbed: Testbed) -> None:
    line = refused(command, f"--api={testbed.api_url}", "--model=gpt-3")
    assert line.startswith(f"api: API at {testbed.api_url}/v1: model 'gpt-3' is not served; served: glm-4.6v")


def test_a_wrong_key(command: Command, locked: Testbed) -> None:
    command.environment["WRONG_KEY"] = "not-the-right-key"
    line = refused(command, f"--api={locked.api_url}", "--api-key-env=WRONG_KEY")
    assert line.startswith(f"api: API at {locked.api_url}/v1: the key was refused (HTTP 401")
    assert "not-the-right-key" not in line


def test_no_key_where_one_is_wanted(command: Command, locked: Testbed) -> None:
    line = refused(command, f"--api={locked.api_url}")
    assert line.startswith(f"api: API at {locked.api_url}/v1: wants a key, and none was named (HTTP 401")


def test_jupyter_without_a_token(command: Command, testbed: Testbed) -> None:
    line = refused(command, f"--api={testbed.api_url}", f"--web-jupyter={testbed.web_jupyter_url}")
    assert line.startswith(f"web-jupyter: page {str(testbed.web_jupyter_url).rstrip('/')}: ")
    assert "token" in line


def test_a_page_without_an_input_widget(command: Command, page_to_read: PageServer) -> None:
    line = refused(command, f"--web={page_to_read.url}")
    assert line.startswith(f"web: page {page_to_read.url.rstrip('/')}: ")
    assert "no widget takes" in line


def test_an_environment_variable_that_is_not_set(command: Command, testbed: Testbed) -> None:
    line = refused(command, f"--api={testbed.api_url}", "--api-key-env=NOT_SET_IN_THE_TESTS")
    assert "NOT_SET_IN_THE_TESTS is not set" in line


def test_a_port_for_prometheus_that_is_taken(command: Command, nobody: str, testbed: Testbed) -> None:
    taken = nobody.removeprefix("http://")
    line = refused(command, f"--api={testbed.api_url}", f"--prometheus={taken}")
    assert line == f"prometheus: cannot listen on {taken}: Address already in use"


OPTIONS = [
    ("--tasks=cook", "--tasks: expected some of describe, ocr, chart, compare, reason", "an unknown task"),
    ("--workers=0", "--workers: expected a whole number of at least 1, got '0'", "nobody to do the work"),
    ("--levels=0", "--levels: expected different whole numbers of at least 1", "no users"),
    ("--preset=h100", "--preset: expected demo or rtx3090, got 'h100'", "a preset that is not there"),
    ("--scenario=none.toml", "none.toml: cannot read the scenario", "no such scenario"),
    ("--dataset=none.jsonl", "cannot read the data set", "no such data set"),
    ("--jupyter-token-env=X", "--jupyter-token-env: expected web_jupyter to be given", "a token for nobody"),
    ("--speed=5", "unrecognized arguments: --speed=5", "an option that is not there"),
]


@pytest.mark.parametrize(("option", "message", "_why"), OPTIONS, ids=[row[2] for row in OPTIONS])
def test_an_option(command: Command, option: str, message: str, _why: str) -> None:
    assert message in refused(command, option)


def test_a_bad_line_of_a_data_set(command: Command, tmp_path: Path) -> None:
    data_set = tmp_path / "mine.jsonl"
    data_set.write_text('{"prompt": "What is this?"}\n{"promt": "What is that?"}\n')
    assert f"{data_set}, line 2: " in refused(command, f"--dataset={data_set}")


def test_a_directory_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refused(command, f"--out={tmp_path / 'file' / 'runs'}")
    assert line == f"--out: cannot write to {tmp_path / 'file' / 'runs'}: Not a directory"
