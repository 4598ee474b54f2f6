"""The whole testbed as processes: real uvicorn, Streamlit and Jupyter; nothing of it stays."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from glm_locust.errors import ConfigError
from glm_locust.testbed import Testbed, TestbedError
from glm_locust.testbed.ports import listen
from tests.testbed.conftest import wait_until

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
QUESTION = {"messages": [{"role": "user", "content": "hello"}]}


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    os.environ["GLM_TESTBED_KEY_OF_THE_TESTS"] = "a-key-of-the-tests\n"
    try:
        with Testbed(api_key_env="GLM_TESTBED_KEY_OF_THE_TESTS") as running:
            yield running
    finally:
        del os.environ["GLM_TESTBED_KEY_OF_THE_TESTS"]


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=20) as client:
        yield client


def test_the_api_server_answers_and_asks_for_the_key(testbed: Testbed, client: httpx.Client) -> None:
    url = f"{testbed.api_url}/v1/chat/completions"
    assert client.post(url, json=QUESTION).status_code == 401
    headers = {"Authorization": "Bearer a-key-of-the-tests"}
    assert client.post(url, json=QUESTION, headers=headers).status_code == 200
    wait_until(lambda: testbed.truth_log.read_bytes().count(b"\n") == 2, "two lines in the truth log")


def test_the_page_answers_directly_and_through_jupyter(testbed: Testbed, client: httpx.Client) -> None:
    token = {"Authorization": f"token {testbed.jupyter_token}"}
    assert testbed.web_url is not None
    assert testbed.web_jupyter_url is not None
    for url, headers in ((testbed.web_url, {}), (testbed.web_jupyter_url, token)):
        assert client.get(f"{url}_stcore/health", headers=headers).text == "ok"
        assert "<title>Streamlit</title>" in client.get(url, headers=headers).text


@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
def test_jupyter_asks_for_its_token(testbed: Testbed, client: httpx.Client, headers: dict[str, str]) -> None:
    response = client.get(f"{testbed.web_jupyter_url}_stcore/health", headers=headers)
    assert response.text != "ok"


def test_secrets_are_in_no_log_and_on_no_command_line(testbed: Testbed) -> None:
    secrets = (testbed.jupyter_token, "a-key-of-the-tests")
    texts = [log.read_text() for log in testbed.logs.values()]
    texts += [" ".join(psutil.Process(pid).cmdline()) for pid in testbed.pids.values()]
    assert not [secret for secret in secrets for text in texts if secret in text]
    assert stat.S_IMODE(testbed.jupyter_token_file.stat().st_mode) == 0o600
    assert testbed.jupyter_token_file.read_text() == testbed.jupyter_token
    assert "GLM_TESTBED_KEY_OF_THE_TESTS" not in psutil.Process(testbed.pids["jupyter"]).environ()


def test_every_server_listens_on_the_loopback_address_only(testbed: Testbed) -> None:
    for name, pid in testbed.pids.items():
        listening = [c for c in psutil.Process(pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert {c.laddr.ip for c in listening} == {"127.0.0.1"}, name


def test_nothing_is_left_after_the_block(tmp_path: Path) -> None:
    truth_log = tmp_path / "truth.jsonl"
    with Testbed(web=False, truth_log=truth_log) as testbed:
        assert (testbed.web_url, testbed.web_jupyter_url) == (None, None)
        pids, workdir = testbed.pids, testbed.workdir
        assert list(pids) == ["api"]
        assert httpx.post(f"{testbed.api_url}/v1/chat/completions", json=QUESTION, trust_env=False).is_success
    assert not any(map(alive, pids.values()))
    assert not workdir.exists()
    assert truth_log.read_bytes().count(b"\n") == 1, "the truth log that was asked for stays"


def test_a_server_that_dies_is_noticed() -> None:
    with Testbed(web=False) as testbed:
        testbed.check()
        os.kill(testbed.pids["api"], signal.SIGKILL)
        wait_until(lambda: not alive(testbed.pids["api"]), "the server is dead")
        with pytest.raises(TestbedError, match="api ended with code -9"):
            testbed.check()


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fastapi.py").write_text("raise RuntimeError('a broken installation')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # The launcher's own import root comes first, so only packages outside it can be broken like this.
    with pytest.raises(TestbedError, match="a broken installation") as caught, Testbed(web=False):
        pass
    assert str(caught.value).splitlines()[0] == "api ended with code 1:"


START = """
import pathlib, sys, time
from glm_locust.testbed import Testbed
with Testbed(workdir=pathlib.Path(sys.argv[1])) as testbed:
    print(*testbed.pids.values(), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_the_launching_process_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(map(alive, pids))
        parent.send_signal(number)
        parent.wait(30)
    wait_until(lambda: not any(map(alive, pids)), "all three servers have ended")


START_GROUP = """
import os, pathlib, sys, time
from glm_locust.testbed.child import Child
command = ["sh", "-c", "sleep 600 & echo $!; wait"]
log = pathlib.Path(sys.argv[1], "log")
child = Child("group", command, log=log, env=dict(os.environ), cwd=log.parent, has_children=True)
child.wait_until(lambda: log.read_text().endswith("\\n"), seconds=30)
print(child.pid, log.read_text(), flush=True)
time.sleep(600)
"""


def test_a_servers_own_children_do_not_outlive_the_launching_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_GROUP, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(alive, pids))
        parent.kill()
        parent.wait(30)
    wait_until(lambda: not any(map(alive, pids)), "the server and its child have ended")


@pytest.mark.parametrize("server", ["api", "web", "jupyter"])
def test_a_port_in_use_is_told_in_one_line(server: str) -> None:
    with listen(0) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError) as caught, Testbed(**{f"{server}_port": port}):  # type: ignore[arg-type]
            pass
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "h100"}, "unknown preset 'h100': expected demo, rtx3090"),
        ({"faults": ["fire"]}, "fault 'fire'"),
        ({"api_key_env": "GLM_TEST_NOT_SET"}, "environment variable GLM_TEST_NOT_SET is not set or empty"),
        ({"truth_log": Path("/nonexistent/truth.jsonl")}, "cannot write: No such file or directory"),
    ],
)
def test_bad_options_are_told_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught, Testbed(web=False, **options):  # type: ignore[arg-type]
        pass
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
