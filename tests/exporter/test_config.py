"""Bad input: one line that says what was expected and where, exit code 64, nothing started."""

import subprocess
import sys
from pathlib import Path

import pytest
from glm_gpu_exporter.config import parse_options, read_groups
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.process_groups import DEFAULT_GROUPS

from tests.exporter.rig import DEADLINE_S

SHIPPED = Path(__file__).parents[2] / "configs" / "prometheus" / "process_groups.toml"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "glm_gpu_exporter", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "9836"], "expected HOST:PORT"),
        (["--listen", "127.0.0.1:70000"], "expected HOST:PORT"),
        (["--listen", "[::1]:x"], "expected HOST:PORT"),
        (["--hz", "0"], "--hz: expected 1 to 100, not 0"),
        (["--hz", "fast"], "--hz: invalid float value"),
        (["--hz", "nan"], "--hz: expected 1 to 100"),
        (["--stale-s", "0.01"], "at least two sample periods"),
        (["--keep-s", "0"], "--keep-s: expected 1 to 86400"),
        (["--tls-key", "k.pem"], "need --tls-cert"),
        (["--basic-auth-env", "A", "--basic-auth-file", "b"], "exclude each other"),
        (["--loop"], "--loop needs --replay"),
        (["--replay", "c", "--require-gpu"], "makes no sense with --replay"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("[", r"\[")):
        parse_options(arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[process_group]]\nname = 'a'\n", "process_group 1: command: expected a regular expression"),
        ("[[process_group]]\ncommand = 'a'\n", "process_group 1: name: expected 1 to 40 letters"),
        ("[[process_group]]\nname = 'a b'\ncommand = 'a'\n", "name: expected 1 to 40 letters"),
        ("[[process_group]]\nname = 'a'\ncommand = '('\n", "command: not a regular expression"),
        ("[[process_group]]\nname = 'a'\ncommand = 'a'\ncolour = 1\n", "unknown key colour"),
        ("[[process_group]]\nname='a'\ncommand='a'\n" * 2, "'a' is used twice"),
        ("process_group = 3", "expected \\[\\[process_group\\]\\] tables"),
        ("groups = []", "unknown key groups"),
        ("]", "not TOML"),
    ],
)
def test_a_bad_file_is_named_with_key_and_expectation(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "groups.toml").write_text(text)
    with pytest.raises(ConfigError, match=words) as raised:
        read_groups(tmp_path / "groups.toml")
    assert str(tmp_path / "groups.toml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: No such file"):
        read_groups(tmp_path / "nothing.toml")
    (tmp_path / "latin").write_bytes(b"name = '\xe9'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_groups(tmp_path / "latin")


def test_the_command_prints_one_line_and_leaves_with_64(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for arguments, words in (
        (("--hz", "0"), "--hz: expected 1 to 100"),
        (("--tls-cert", str(tmp_path / "no.pem")), "--tls-cert"),
        (("--tls-cert", str(tmp_path / "empty")), "no usable PEM certificate and key"),
        (("--basic-auth-env", "SURELY_NOT_SET"), "the variable is not set"),
        (("--basic-auth-file", str(tmp_path / "empty")), "expected user:password"),
        (("--replay", str(tmp_path / "empty")), "expected a capture made by --record"),
    ):
        done = command("--listen", "127.0.0.1:0", *arguments)
        assert (done.returncode, done.stdout) == (64, ""), arguments
        (line,) = done.stderr.splitlines()
        assert line.startswith("glm-gpu-exporter: ")
        assert words in line


def test_a_port_in_use_is_named() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command("--listen", address)
    assert done.returncode == 64
    assert f"--listen {address}: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("line", "group"),
    [
        ("python -m vllm.entrypoints.openai.api_server --model x", "model-server"),
        ("/usr/bin/python /venv/bin/vllm serve m", "model-server"),
        ("VLLM::EngineCore", "model-server"),
        ("python /venv/bin/transformers serve", "model-server"),
        ("python -m uvicorn server:app", "model-server"),
        ("/venv/bin/python /venv/bin/streamlit run app.py", "streamlit"),
        ("python -m streamlit run app.py", "streamlit"),
        ("/venv/bin/python /venv/bin/jupyter-lab --port 8888", "jupyter"),
        ("python -m jupyter server", "jupyter"),
        ("python -m jupyter_server --port=8888", "jupyter"),
        ("python -m glm_locust.testbed.server --fd=3", "model-server"),
        ("python -m ipykernel_launcher -f k.json", "jupyter"),
        ("vim notes.txt", None),
    ],
)
def test_the_built_in_groups_know_the_usual_commands(line: str, group: str | None) -> None:
    assert next((g.name for g in DEFAULT_GROUPS if g.command.search(line)), None) == group


def test_the_shipped_example_says_what_is_built_in() -> None:
    assert [(g.name, g.command.pattern) for g in read_groups(SHIPPED)] == [
        (g.name, g.command.pattern) for g in DEFAULT_GROUPS
    ]
