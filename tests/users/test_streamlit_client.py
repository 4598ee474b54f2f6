"""StreamlitClient against real Streamlit servers, directly, under a base path and behind Jupyter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from glm_locust.config import Deadlines, Secret, WebTarget, WidgetChoice
from glm_locust.errors import ConfigError
from glm_locust.records import ErrorKind, Measurement, Outcome, Phase, RequestRecord, digest
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.ports import available_port
from glm_locust.testbed.truth import read_truth
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.workload import TASKS, Workload
from glm_locust.workload.prompt import Image, Prompt
from tests.users.pages import Jupyter, PageServer, jupyter_server, page_server
from tests.users.relay import relay_to

pytestmark = pytest.mark.servers

TOKEN = re.compile(r"t(\d+)_(\d+)")


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def chat(workdir: Path) -> Iterator[PageServer]:
    with page_server("chat", workdir) as server:
        yield server


@pytest.fixture(scope="module")
def form(workdir: Path) -> Iterator[PageServer]:
    with page_server("form", workdir, base_path="deep/path") as server:
        yield server


@pytest.fixture(scope="module")
def plain_form(workdir: Path) -> Iterator[PageServer]:
    with page_server("form", workdir, options=("--server.maxUploadSize", "1")) as server:
        yield server


@pytest.fixture(scope="module")
def jupyter(workdir: Path) -> Iterator[Jupyter]:
    with jupyter_server(workdir) as server:
        yield server


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed(jupyter=False) as running:
        yield running


@pytest.fixture
def clients() -> Iterator[Any]:
    opened: list[StreamlitClient] = []

    def open_client(url: str, on_text: Any = None, **target: Any) -> StreamlitClient:
        opened.append(StreamlitClient(WebTarget(url, **target), on_text=on_text))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


def images(*sizes: int) -> tuple[Image, ...]:
    return tuple(
        Image(b"\x89PNG" + bytes(size - 4), "image/png", 8, 8, f"image {index}.png")
        for index, size in enumerate(sizes)
    )


def measure(prompt: Prompt) -> Measurement:
    return Measurement(
        path="web",
        task=prompt.task,
        phase=Phase.MEASURE,
        prompt_id=prompt.prompt_id,
        scheduled_ns=now_ns(),
        images=len(prompt.images),
    )


def ask(client: StreamlitClient, text: str, files: tuple[Image, ...] = ()) -> tuple[RequestRecord, str]:
    prompt = Prompt("test", text, files)
    measurement = measure(prompt)
    client.ask(prompt, measurement)
    assert measurement.ended is not None
    return measurement.seal(run_id="r", worker_id="w", seq=1), measurement.ended.text


def assert_answered(record: RequestRecord, text: str, tokens: int) -> None:
    assert (record.outcome, record.error_detail) == (Outcome.OK, None)
    made = [(int(number), int(at_ns)) for number, at_ns in TOKEN.findall(text)]
    assert [number for number, _ in made] == list(range(tokens))
    assert record.answer_digest == digest(text)
    assert record.sent_ns is not None
    assert record.submitted_ns is not None
    assert record.accepted_ns is not None
    assert record.first_token_ns is not None
    assert record.first_token_ns == record.first_output_ns
    # The first token was seen after it was made, and before the last one was.
    assert record.sent_ns <= record.submitted_ns < record.accepted_ns < made[0][1] < record.first_token_ns
    assert record.last_output_ns is not None
    assert made[-1][1] < record.last_output_ns <= record.finished_ns
    assert record.bytes_in > len(text)


class TestChat:
    def test_questions_with_history(self, chat: PageServer, clients: Any) -> None:
        client = clients(chat.url)
        client.check()
        for number in range(3):
            record, text = ask(client, f"question {number} [ttft=0.2 gap=0.05 n=6]")
            assert_answered(record, text, tokens=6)
            assert record.image_bytes_out == 0
            assert record.bytes_out > 0
        assert client.session.lost_sessions == 0

    def test_the_first_token_is_seen_long_before_the_second_is_made(
        self, chat: PageServer, clients: Any
    ) -> None:
        client = clients(chat.url)
        ask(client, "warm up")
        record, text = ask(client, "slowly [ttft=0.2 gap=1.5 n=2]")
        assert_answered(record, text, tokens=2)
        assert record.first_token_ns is not None
        assert record.first_token_ns < int(TOKEN.findall(text)[1][1])
        assert len(record.output_gaps_us) == 1

    def test_text_is_handed_over_as_it_comes(self, chat: PageServer, clients: Any) -> None:
        heard: list[str] = []
        client = clients(chat.url, heard.append)
        _, text = ask(client, "tell me [n=5]")
        assert "".join(heard).strip() == text.strip()

    @pytest.mark.parametrize(
        ("prompt", "kind", "detail"),
        [
            ("RAISE", ErrorKind.SERVER_ERROR, "ValueError: boom from the app"),
            ("ERROR", ErrorKind.SERVER_ERROR, "the model is not loaded"),
            ("SILENT", ErrorKind.EMPTY, "chat_input 'Ask me anything'"),
        ],
    )
    def test_what_the_app_does_wrong_is_a_failure_and_the_next_question_works(
        self, chat: PageServer, clients: Any, prompt: str, kind: ErrorKind, detail: str
    ) -> None:
        client = clients(chat.url)
        record, _ = ask(client, prompt)
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, kind)
        assert detail in (record.error_detail or "")
        assert "\n" not in (record.error_detail or "")
        record, text = ask(client, "and now? [n=4]")
        assert_answered(record, text, tokens=4)

    @pytest.mark.parametrize(
        ("deadlines", "prompt", "kind"),
        [
            (Deadlines(first_output_s=3), "[ttft=30]", ErrorKind.TIMEOUT_FIRST_OUTPUT),
            (Deadlines(stall_s=1), "[gap=30 n=2]", ErrorKind.TIMEOUT_STALL),
            (Deadlines(total_s=3), "[gap=0.2 n=100]", ErrorKind.TIMEOUT_TOTAL),
        ],
    )
    def test_each_deadline_has_its_kind(
        self, chat: PageServer, clients: Any, deadlines: Deadlines, prompt: str, kind: ErrorKind
    ) -> None:
        client = clients(chat.url, deadlines=deadlines)
        client.check()
        record, _ = ask(client, prompt)
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, kind)
        record, text = ask(client, "and now? [n=3]")
        assert_answered(record, text, tokens=3)

    def test_thinking_keeps_the_page(self, chat: PageServer, clients: Any) -> None:
        client = clients(chat.url)
        client.check()
        begun = now_ns()
        client.idle(0.3)
        assert now_ns() - begun >= 0.3e9
        assert client.connected
        record, text = ask(client, "awake? [n=3]")
        assert_answered(record, text, tokens=3)

    def test_a_user_who_is_stopped_has_cancelled(self, chat: PageServer, clients: Any) -> None:
        hears = gevent.event.Event()
        client = clients(chat.url, lambda _: hears.set())
        client.check()
        prompt = Prompt("test", "long [gap=0.2 n=100]")
        measurement = measure(prompt)
        user = gevent.spawn(client.ask, prompt, measurement)
        assert hears.wait(30)
        user.kill()
        record = measurement.seal(run_id="r", worker_id="w", seq=1)
        assert (record.outcome, record.error_kind) == (Outcome.CANCELLED, ErrorKind.RUN_ENDED)
        assert not client.connected

    def test_a_lost_connection_is_resumed_with_its_history(self, chat: PageServer, clients: Any) -> None:
        with relay_to(chat.port) as relay:
            client = clients(relay.url)
            ask(client, "remember me [n=3]")
            relay.cut()
            record, text = ask(client, "do you? [n=3]")
            assert_answered(record, text, tokens=3)
            assert client.session.lost_sessions == 0
            bodies = [node.content.body for node in client.session.page if node.kind == "markdown"]
            assert "remember me [n=3]" in bodies

    def test_a_connection_lost_in_the_middle_is_a_truncated_answer(
        self, chat: PageServer, clients: Any
    ) -> None:
        with relay_to(chat.port) as relay:
            client = clients(relay.url, lambda _: relay.cut())
            client.check()
            record, _ = ask(client, "long [gap=0.2 n=50]")
            assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.TRUNCATED)
            assert record.first_token_ns is not None


class TestForm:
    def test_images_history_and_a_form_that_clears_itself(self, form: PageServer, clients: Any) -> None:
        client = clients(form.url)
        client.check(images=2)
        for files, sizes in ((images(700, 900), "700+900"), ((), "none"), (images(50), "50")):
            record, text = ask(client, f"what is it {sizes} [ttft=0.2 n=5]", files)
            assert_answered(record, text, tokens=5)
            assert text.startswith(f"sizes={sizes} ")
            assert record.image_bytes_out >= sum(len(image.data) for image in files)
            assert record.bytes_out > record.image_bytes_out

    def test_the_upload_comes_before_the_submission(self, form: PageServer, clients: Any) -> None:
        client = clients(form.url)
        record, text = ask(client, "look [n=3]", images(1000))
        assert_answered(record, text, tokens=3)
        assert record.sent_ns is not None
        assert record.submitted_ns is not None
        assert record.sent_ns < record.submitted_ns

    def test_a_placeholder_s_first_words_are_not_the_first_token(
        self, form: PageServer, clients: Any
    ) -> None:
        record, text = ask(clients(form.url), "look [ttft=0.5 n=3]")
        assert_answered(record, text, tokens=3)  # "Thinking…" stands there from the start

    def test_widgets_chosen_by_key_label_and_kind(self, form: PageServer, clients: Any) -> None:
        client = clients(
            form.url,
            prompt_widget=WidgetChoice(key="prompt-key"),
            upload_widget=WidgetChoice(kind="file_uploader"),
            submit_widget=WidgetChoice(label="Send"),
        )
        record, text = ask(client, "look [n=3]", images(64))
        assert_answered(record, text, tokens=3)

    def test_a_choice_that_fits_nothing_lists_what_there_is(self, form: PageServer, clients: Any) -> None:
        client = clients(form.url, prompt_widget=WidgetChoice(label="Nowhere"))
        with pytest.raises(ConfigError, match=r"no widget for the prompt matches label 'Nowhere'.*text_area"):
            client.check()
        record, _ = ask(client, "hello")
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.PROTOCOL)


class TestJupyter:
    def test_with_a_token(self, jupyter: Jupyter, plain_form: PageServer, clients: Any) -> None:
        client = clients(jupyter.page(plain_form), jupyter_token=Secret(file=str(jupyter.token_file)))
        client.check(images=2)
        record, text = ask(client, "through the proxy [ttft=0.2 n=5]", images(800, 90))
        assert_answered(record, text, tokens=5)
        assert text.startswith("sizes=800+90 ")

    def test_with_a_cookie(
        self, jupyter: Jupyter, plain_form: PageServer, clients: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name, value = jupyter.login_cookie()
        monkeypatch.setenv("TEST_JUPYTER_COOKIE", value)
        client = clients(jupyter.page(plain_form), cookies={name: Secret(env="TEST_JUPYTER_COOKIE")})
        client.check(images=1)
        record, text = ask(client, "by cookie [ttft=0.2 n=5]", images(77))
        assert_answered(record, text, tokens=5)
        assert text.startswith("sizes=77 ")

    def test_without_a_token_the_login_page_is_recognised(
        self, jupyter: Jupyter, plain_form: PageServer, clients: Any
    ) -> None:
        client = clients(jupyter.page(plain_form))
        with pytest.raises(ConfigError, match=r"Jupyter shows its login page; no Jupyter token or cookie"):
            client.check()
        record, _ = ask(client, "hello")
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.HTTP_STATUS)

    def test_a_wrong_token_is_named_and_not_shown(
        self, jupyter: Jupyter, plain_form: PageServer, clients: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TEST_JUPYTER_TOKEN", "wrong-token-123456")
        client = clients(jupyter.page(plain_form), jupyter_token=Secret(env="TEST_JUPYTER_TOKEN"))
        with pytest.raises(ConfigError, match="it does not accept the Jupyter token") as caught:
            client.check()
        assert "wrong-token-123456" not in str(caught.value)

    def test_a_page_that_does_not_run_behind_it(self, jupyter: Jupyter, clients: Any) -> None:
        url = f"http://127.0.0.1:{jupyter.port}/proxy/{available_port(0)}/"
        client = clients(url, jupyter_token=Secret(file=str(jupyter.token_file)))
        with pytest.raises(ConfigError, match="HTTP status 500 at /_stcore/health"):
            client.check()


class TestTestbed:
    """The embedded page, which is built like published ones, without any choice of widgets."""

    def test_five_tasks(self, testbed: Testbed, clients: Any) -> None:
        client = clients(testbed.web_url)
        client.check(images=2)
        workload = Workload(seed=11)
        for index, task in enumerate(TASKS):
            prompt = workload.prompt(task, index)
            measurement = measure(prompt)
            client.ask(prompt, measurement)
            record = measurement.seal(run_id="r", worker_id="w", seq=1)
            assert (record.outcome, record.error_detail) == (Outcome.OK, None)
            (truth,) = [t for t in read_truth(testbed.truth_log) if t.prompt_id == prompt.prompt_id]
            assert truth.images == len(prompt.images)
            assert truth.received_ns is not None
            assert record.first_token_ns is not None
            assert record.submitted_ns is not None
            assert record.submitted_ns < truth.received_head_ns < truth.received_ns < record.first_token_ns
            assert record.image_bytes_out > prompt.image_bytes


class TestRefusals:
    def test_nobody_there(self, clients: Any) -> None:
        client = clients(f"http://127.0.0.1:{available_port(0)}/")
        with pytest.raises(ConfigError, match=r"page http://127\.0\.0\.1:\d+: connection refused"):
            client.check()
        record, _ = ask(client, "hello")
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.CONNECT)

    def test_the_base_path_is_missing(self, form: PageServer, clients: Any) -> None:
        with pytest.raises(ConfigError, match="no Streamlit page there: HTTP status 404"):
            clients(f"http://127.0.0.1:{form.port}/").check()

    def test_something_else_answers(self, jupyter: Jupyter, clients: Any) -> None:
        with pytest.raises(ConfigError, match="page http"):
            clients(f"http://127.0.0.1:{jupyter.port}/").check()

    def test_an_image_too_large_for_the_page(self, plain_form: PageServer, clients: Any) -> None:
        client = clients(plain_form.url)
        record, _ = ask(client, "look", images(3_000_000))
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.HTTP_STATUS)
        assert (record.http_status, record.submitted_ns) == (413, None)
        assert "larger than the page takes" in (record.error_detail or "")
        record, text = ask(client, "then this [n=3]", images(300))
        assert_answered(record, text, tokens=3)

    def test_an_origin_that_is_not_the_page_s(self, chat: PageServer, clients: Any) -> None:
        client = clients(chat.url, headers={"origin": "http://elsewhere.example"})
        with pytest.raises(
            ConfigError, match=r"HTTP status 403: origin http://elsewhere\.example not allowed"
        ):
            client.check()

    def test_a_page_that_takes_no_images(self, chat: PageServer, clients: Any) -> None:
        client = clients(chat.url)
        with pytest.raises(ConfigError, match="no widget takes 2 images; widgets on the page: chat_input"):
            client.check(images=2)
        record, _ = ask(client, "look", images(10))
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.PROTOCOL)

    def test_a_page_without_any_input(self, workdir: Path, clients: Any) -> None:
        with (
            page_server("reading", workdir) as server,
            pytest.raises(ConfigError, match=r"no widget takes a prompt.*button 'Reload'.*'Only to read'"),
        ):
            clients(server.url).check()

    @pytest.mark.parametrize("url", ["page.example", "ftp://page/", "http://", "http://user:secret@page/"])
    def test_a_url_that_is_none(self, url: str) -> None:
        with pytest.raises(ConfigError, match="web URL: expected") as caught:
            StreamlitClient(WebTarget(url))
        assert "secret" not in str(caught.value)


def test_a_server_killed_in_mid_answer_and_back_again(workdir: Path, clients: Any) -> None:
    with page_server("chat", workdir) as server:
        client = clients(server.url, lambda _: server.kill(), deadlines=Deadlines(connect_s=5))
        client.check()
        record, _ = ask(client, "long [gap=0.3 n=100]")
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.TRUNCATED)
        assert record.first_token_ns is not None
        record, _ = ask(client, "anybody?")
        assert (record.outcome, record.error_kind) == (Outcome.FAILED, ErrorKind.CONNECT)
        server.start()
        client._on_text = None  # the server may live now
        record, text = ask(client, "back? [n=4]")
        assert_answered(record, text, tokens=4)
        assert client.session.lost_sessions == 1
