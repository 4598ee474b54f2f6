"""Every fault of a page: its kind, its line, the exit code of `ask`, and the next question's success."""

import re
from collections.abc import Iterator
from dataclasses import fields

import pytest

from glm_locust.cli import main
from glm_locust.config import Deadlines, Secret, WebTarget
from glm_locust.records import Outcome
from glm_locust.users.streamlit_client import StreamlitClient
from tests.users.faults import FAULTS, TOKEN, Fault, Stage, ask, stage

pytestmark = pytest.mark.servers

GOOD = "all well? [n=3 ttft=0.01 gap=0.01]"


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("faults")) as running:
        client = StreamlitClient(WebTarget(running.relay.url))
        ask(client, GOOD)  # the first answer of a server comes late, by its lazy imports
        client.close()
        yield running


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_FAULTS_TOKEN", TOKEN)


def assert_one_line(text: str) -> None:
    assert len(text) <= 500
    assert text.isprintable()
    assert "Traceback" not in text
    assert TOKEN not in text


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_user_survives_it(fault: Fault, on: Stage) -> None:
    target = WebTarget(
        fault.url(on), deadlines=fault.deadlines, jupyter_token=Secret(env="TEST_FAULTS_TOKEN")
    )
    client = StreamlitClient(target)
    try:
        before = ask(client, GOOD)
        assert (before.outcome, before.error_detail) == (Outcome.OK, None)
        with fault.begin(on):
            record = ask(client, fault.prompt, fault.images)
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, fault.kind), record.error_detail
        line = record.error_detail or ""
        assert re.search(fault.says, line)
        assert_one_line(line)
        after = ask(client, GOOD)
        assert (after.outcome, after.error_detail) == (Outcome.OK, None)
    finally:
        client.close()


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.exit_code is not None], ids=lambda fault: fault.name
)
def test_ask_tells_it(
    fault: Fault,
    on: Stage,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("glm_locust.cli.ask.load_image", lambda name: fault.images[int(name)])
    arguments = ["ask", "--web", fault.url(on), "--prompt", fault.prompt]
    arguments += ["--jupyter-token-env", "TEST_FAULTS_TOKEN"]
    for number in range(len(fault.images)):
        arguments += ["--image", str(number)]
    for name in (deadline.name for deadline in fields(Deadlines)):
        arguments += ["--set", f"deadlines.{name}={getattr(fault.deadlines, name)}"]
    with fault.begin(on):
        code = main(arguments)
    told = capsys.readouterr()
    assert code == fault.exit_code
    if code == 64:
        (line,) = told.err.splitlines()
    else:
        assert told.err == ""
        (line,) = (line for line in told.out.splitlines() if line.startswith("outcome"))
        assert f"failed {fault.kind}: " in line
    assert re.search(fault.says.removesuffix("$"), line)
    assert_one_line(line)
    assert TOKEN not in told.out
