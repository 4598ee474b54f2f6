"""The benchmark's stand-in for Streamlit, used by the real client."""

import http.client
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest

from glm_locust.config import Deadlines, WebTarget
from glm_locust.protocols.streamlit.schema import BackMsg, decode
from glm_locust.records import Measurement, Outcome, Phase
from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.users.streamlit_page import StreamlitPage
from glm_locust.workload.prompt import Image, Prompt

pytestmark = pytest.mark.servers

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "streamlit_standin.py"
UPDATES = 12
IMAGE = Image(b"\x89PNG" + bytes(2000), "image/png", 8, 8, "a.png")


class StandIn:
    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}standin/stats", timeout=10) as answer:
            stats: dict[str, Any] = json.load(answer)
        return stats


Start = Callable[..., AbstractContextManager[StandIn]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    @contextmanager
    def started(*options: str) -> Iterator[StandIn]:
        port = available_port(0)
        pace = ("--ttft", "0.05", "--rate", "100", "--updates", str(UPDATES))
        command = [sys.executable, str(SCRIPT), "--port", str(port), *pace, *options]
        child = Child("stand-in", command, log=tmp_path / "standin.log", env={}, cwd=tmp_path)
        try:
            child.wait_until(lambda: str(port) in child.log.read_text(), seconds=60)
            yield StandIn(f"http://{HOST}:{port}/")
        finally:
            child.end()

    return started


def asked(client: StreamlitClient, text: str, *images: Image) -> Measurement:
    prompt = Prompt("t", text, images)
    measurement = Measurement(
        path="web", task="t", phase=Phase.MEASURE, prompt_id=prompt.prompt_id, scheduled_ns=now_ns()
    )
    client.ask(prompt, measurement)
    return measurement


@pytest.mark.parametrize(
    ("version", "app", "images"),
    [("1.67.0", "app_chat", 0), ("1.67.0", "app_form", 1), ("1.67.0", "app_chatfile", 1)]
    + [(version, "app_chat", 0) for version in ("1.28.2", "1.37.1", "1.45.1", "1.52.2")],
)
def test_answers_of_every_recording_come_update_by_update(
    start: Start, version: str, app: str, images: int
) -> None:
    with start("--version", version, "--app", app) as standin:
        client = StreamlitClient(WebTarget(standin.url, deadlines=Deadlines(10, 10, 10, 30)))
        client.check(images)
        texts = []
        for turn in range(2):
            measurement = asked(client, f"what is {turn}?", *[IMAGE] * images)
            record = measurement.seal(run_id="r", worker_id="w", seq=1)
            assert record.outcome is Outcome.OK, record.error_detail
            # A client that was held up may find two updates of equal arrival, but never fewer updates.
            assert len(record.output_gaps_us) == UPDATES - 1
            assert record.first_token_ns is not None
            assert record.submitted_ns is not None
            assert record.first_token_ns - record.submitted_ns >= 45_000_000
            assert measurement.ended is not None
            texts.append(measurement.ended.text)
        assert texts[0] != texts[1], "each answer has a nonce of its own"
        client.close()
        stats = standin.stats()
    assert stats["finished_turns"] == 2
    assert stats["updates"] == 2 * UPDATES
    assert stats["opened"] == 1
    assert stats.get("uploads", 0) == (3 if images else 0), "the preflight's and one per question"


def test_many_users_are_told_apart(start: Start) -> None:
    with start() as standin:
        clients = [StreamlitClient(WebTarget(standin.url)) for _ in range(20)]
        gevent.joinall([gevent.spawn(client.open) for client in clients], raise_error=True)
        asking = [gevent.spawn(asked, client, f"user {n}?") for n, client in enumerate(clients)]
        gevent.joinall(asking, raise_error=True)
        ended = [greenlet.value.ended for greenlet in asking]
        assert {end.outcome for end in ended} == {Outcome.OK}
        assert len({end.text for end in ended}) == 20
        assert len({client.session.page.session_id for client in clients}) == 20
        for client in clients:
            client.close()


def test_a_session_is_resumed_by_its_id(start: Start) -> None:
    with start() as standin:
        page = StreamlitPage(WebTarget(standin.url))
        first, other = session_id(page, ""), session_id(page, "")
        assert first != other
        assert session_id(page, first) == first
        assert session_id(page, "never given out") not in (first, "never given out")
        page.close()
        assert standin.stats()["resumed"] == 1


def session_id(page: StreamlitPage, resumed: str) -> str:
    """What the server calls a tab that asks for this session."""
    with page.connect(resumed, (1, 67, 0)) as socket:
        socket.send(BackMsg(rerun_script={}).SerializeToString())
        message = socket.receive(now_ns() + 10**10)
    assert message is not None
    return str(decode(message.data).new_session.initialize.session_id)


def test_an_idle_user_answers_pings(start: Start) -> None:
    with start("--ping", "0.1") as standin:
        client = StreamlitClient(WebTarget(standin.url))
        client.open()
        client.idle(0.5)
        assert asked(client, "still there?").ended is not None
        stats = standin.stats()
        client.close()
    assert stats["opened"] == 1
    assert stats["pongs"] >= 3


def test_an_upload_needs_the_xsrf_token(start: Start) -> None:
    with start("--app", "app_form") as standin:
        connection = http.client.HTTPConnection(standin.url.split("/")[2], timeout=10)
        connection.request("PUT", "/_stcore/upload_file/session/file", b"x")
        assert connection.getresponse().status == 403
        connection.close()
