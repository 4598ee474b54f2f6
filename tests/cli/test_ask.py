"""`glm-locust ask` on the testbed: what it prints, its JSON, its refusals, and docs/ASK.md."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from glm_locust.cli import main
from glm_locust.cli.terminal import printable
from glm_locust.protocols.openai.explain import explain_event
from glm_locust.protocols.streamlit.explain import explain_incoming, explain_outgoing
from glm_locust.testbed import Testbed, read_truth
from glm_locust.testbed.ports import available_port
from glm_locust.workload import Workload
from tests.protocols.streamlit import messages

DOCUMENT = Path(__file__).parents[2] / "docs" / "ASK.md"
SCRIPT = "import sys; from glm_locust.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed(jupyter=False) as running:
        yield running


@pytest.fixture
def image(tmp_path: Path) -> Path:
    drawn = Workload(seed=3).prompt("describe", 0).images[0]
    path = tmp_path / f"picture.{drawn.media_type.partition('/')[2]}"
    path.write_bytes(drawn.data)
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, "ask", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def refused(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that `ask` ends with in place of an answer."""
    try:
        code = main(["ask", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    assert code == 64
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("glm-locust: ")
    return line


@pytest.mark.servers
class TestAnswers:
    def test_the_api(self, testbed: Testbed, image: Path) -> None:
        done = run("--api", testbed.api_url, "--prompt", "What is it?", "--image", str(image), "--json")
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert (told["path"], told["outcome"], told["error_kind"]) == ("api", "ok", None)
        assert told["page"] is None
        assert "messages" not in told
        assert told["answer"]
        record = told["record"]
        assert record["output_chars"] == len(told["answer"])
        assert record["images"] == 1
        assert record["output_tokens"] > 1
        times = told["times_ms"]
        assert times["sent"] == times["submitted"] == 0
        assert 0 < times["accepted"] < times["first_token"] <= times["last_output"] <= times["finished"]
        truth = read_truth(testbed.truth_log)[-1]
        assert truth.upstream_id == record["upstream_id"]
        assert truth.first_token_ns is not None
        # What the server stamped before its write cannot have been read before.
        assert truth.received_ns < truth.first_token_ns < record["first_token_ns"]

    def test_the_page(self, testbed: Testbed, image: Path) -> None:
        assert testbed.web_url is not None
        done = run(
            *("--web", testbed.web_url, "--prompt", "What is it?", "--image", str(image)),
            *("--json", "--explain"),
        )
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert (told["path"], told["outcome"]) == ("web", "ok")
        used = {widget["label"]: widget["used_for"] for widget in told["page"]["widgets"]}
        assert used == {
            "Images": ["images"],
            "Question": ["prompt"],
            "Submit": ["submit"],
            "Temperature": [],
            "Max tokens": [],
        }
        assert all(bool(widget["why"]) == bool(widget["used_for"]) for widget in told["page"]["widgets"])
        (candidate,) = told["page"]["candidates"]
        assert candidate["chosen"]
        assert candidate["chars"] == len(told["answer"].strip())
        kinds = [message["kind"] for message in told["messages"]]
        assert kinds[0] == "GET"
        for kind in ("new_session", "file_urls_request", "file_urls_response", "PUT", "HTTP 204"):
            assert kind in kinds
        ats = [message["at_ms"] for message in told["messages"]]
        assert ats[0] == 0
        texts = [m for m in told["messages"] if m["path"] == candidate["path"] and m["kind"] == "markdown"]
        assert len(texts) >= candidate["updates"]

    def test_the_answer_is_shown_as_it_comes_and_then_its_record(self, testbed: Testbed) -> None:
        assert testbed.web_url is not None
        done = run("--web", testbed.web_url, "--prompt", "hello")
        assert (done.returncode, done.stderr) == (0, "")
        answer, _, table = done.stdout.partition("\n\n")
        assert answer
        assert table.startswith("outcome       ok\n")
        for words in ("TTFT ", "E2E latency ", "ITL median ", "  first token ", "page: Streamlit 1."):
            assert f"\n{words}" in table
        assert "text_area 'Question'    used for prompt: the only one that fits" in table
        assert "slider 'Temperature'    ignored" in table

    def test_locust_is_not_loaded(self, testbed: Testbed) -> None:
        script = f"import sys; sys.modules['locust'] = sys.modules['numpy'] = None\n{SCRIPT}"
        done = subprocess.run(
            [sys.executable, "-c", script, "ask", "--api", testbed.api_url],
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0

    def test_stock_httpx_obeys_deadlines_too(self, testbed: Testbed) -> None:
        options = ("--http-client", "httpx", "--set", "deadlines.first_output_s=0.01")
        done = run("--api", testbed.api_url, *options)
        assert done.returncode == 1
        assert "timeout_first_output: no text came within 0.01 s (deadline first_output_s)" in done.stdout
        assert run("--api", testbed.api_url, "--http-client", "httpx").returncode == 0

    def test_overrides_are_the_words_of_a_scenario(self, testbed: Testbed) -> None:
        assert testbed.web_url is not None
        options = ("--set", "prompt_widget.label=Question", "--set", "submit_widget.index=0")
        done = run("--web", testbed.web_url, *options, "--json")
        why = {w["label"]: w["why"] for w in json.loads(done.stdout)["page"]["widgets"]}
        assert why["Question"] == "named by label 'Question'"

    def test_an_interruption(self, testbed: Testbed) -> None:
        assert testbed.web_url is not None
        # Long enough for the interruption to come in the middle, however busy the machine is.
        stall = {"kind": "stall", "seconds": 20, "after_tokens": 1}
        assert httpx.post(f"{testbed.api_url}/testbed/faults", json=stall, trust_env=False).is_success
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "ask", "--web", testbed.web_url, "--explain"],
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if "trigger_value" in line:
                    process.send_signal(2)
                    break
            rest = process.stdout.read()
            assert process.wait(60) == 130
        assert "outcome       cancelled run_ended" in rest


@pytest.mark.servers
class TestRefusals:
    def test_a_widget_that_is_not_there(self, testbed: Testbed, capsys: pytest.CaptureFixture[str]) -> None:
        assert testbed.web_url is not None
        line = refused(
            "--web", testbed.web_url, "--set", "prompt_widget.label=Nowhere", "--json", capsys=capsys
        )
        assert "no widget for the prompt matches label 'Nowhere'" in line
        assert line.endswith("; --explain shows each step")

    def test_a_page_that_is_not_there_is_not_another_one(
        self, testbed: Testbed, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert testbed.web_url is not None
        assert main(["ask", "--web", testbed.web_url, "--set", "page=Nowhere", "--json", "--explain"]) == 64
        captured = capsys.readouterr()
        told = json.loads(captured.out)
        assert told["outcome"] == "refused"
        assert "the app has no page 'Nowhere'" in told["error_detail"]
        assert told["error_detail"] in captured.err
        assert told["record"] is None
        assert told["messages"]
        assert [widget["label"] for widget in told["page"]["widgets"]][:2] == ["Images", "Question"]

    def test_an_api_is_no_page(self, testbed: Testbed, capsys: pytest.CaptureFixture[str]) -> None:
        assert "no Streamlit page there" in refused("--web", testbed.api_url, capsys=capsys)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--api --web is required"),
        (["--api", "http://a.example", "--web", "http://b.example"], "not allowed with"),
        (["--api", "ftp://a.example"], "--api: expected a URL like"),
        (["--api", "http://a.example", "--prompt", " "], "--prompt: expected a text"),
        (["--api", "http://a.example", "--image", "/nowhere.png"], "/nowhere.png: No such file"),
        (["--api", "http://a.example", "--timeout", "soon"], "--timeout: expected a number of seconds"),
        (["--api", "http://a.example", "--set", "page=Chat"], "--set page: unknown key"),
        (["--api", "http://a.example", "--set", "model"], "--set: expected KEY=VALUE"),
        (["--api", "http://a.example", "--header", "Authorization: x"], "--header: expected no secrets"),
        (["--api", "http://a.example", "--jupyter-token-env", "X"], "--jupyter-token-env: expected --web"),
        (["--api", "http://a.example", "--http-client", "curl"], "--http-client: expected gevent or httpx"),
        (["--web", "http://a.example", "--http-client", "httpx"], "--http-client: expected --api"),
        (["--web", "http://a.example", "--model", "glm"], "--model: expected api"),
        (["--web", "http://a.example", "--jupyter-token-env", "NOT_SET_AT_ALL"], "NOT_SET_AT_ALL is not set"),
        (["--web", "http://a.example", "--set", "prompt_widget.colour=red"], "prompt_widget.colour: unknown"),
    ],
)
def test_what_is_typed_wrong(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(*arguments, capsys=capsys)


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{available_port(0)}"
    assert "connection refused" in refused("--web", url, capsys=capsys)
    assert "connection refused" in refused("--api", url, capsys=capsys)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcödé 中文\n\ttabbed", "plain ünïcödé 中文\n\ttabbed"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("\u202eback\u2066", "\\u202eback\\u2066"),
        ("\x9b2J", "\\x9b2J"),
        ("half \ud800", "half \\ud800"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_nothing_steers_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (messages.started(version="1.52.0"), "new_session", "the script starts, Streamlit 1.52.0"),
        (messages.markdown("0.1", "hello"), "markdown", "'hello'"),
        (messages.block("0.2", "chat_message", name="user"), "block chat_message", "'user'"),
        (messages.element("0.3", "exception", type="E", message="m"), "exception", "'E: m'"),
        (messages.element("0.4", "button", label="Go"), "button", "'Go'"),
        (messages.finished(2), "script_finished", "early, another run follows"),
        (messages.finished(99), "script_finished", "status 99"),
        (messages.file_urls("r", "a", "b"), "file_urls_response", "2 addresses"),
        (messages.reference("0.1", "x"), "ref_hash", "a message that was sent before"),
        (b"\xff\xff", "unreadable", "2 bytes that are no Streamlit message"),
        (b"", "unknown", ""),
    ],
)
def test_what_a_page_says_in_words(data: bytes, kind: str, says: str) -> None:
    explained = explain_incoming(data)
    assert (explained.kind, explained.said) == (kind, says)


def test_what_a_user_typed_is_not_repeated() -> None:
    from glm_locust.protocols.streamlit.schema import BackMsg

    message = BackMsg()
    message.rerun_script.widget_states.widgets.add(id="a", string_value="my password")
    explained = explain_outgoing(bytes(message.SerializeToString()))
    assert (explained.kind, explained.said) == ("rerun_script", "string_value")


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b'{"choices":[{"delta":{"content":"Hi"}}]}', "content", "'Hi'"),
        (b'{"choices":[{"delta":{"reasoning_content":"Hm"}}]}', "reasoning", "'Hm'"),
        (b'{"choices":[{"delta":{"role":"assistant"}}]}', "chunk without text", ""),
        (b'{"choices":[{"delta":{},"finish_reason":"stop"}]}', "finish_reason", "stop"),
        (b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}', "usage", "3 in, 4 out"),
        (b'{"error":{"message":"no"}}', "error", "no"),
        (b"[DONE]", "[DONE]", ""),
        (b"nonsense", "unreadable", "not JSON: nonsense"),
    ],
)
def test_what_an_api_says_in_words(data: bytes, kind: str, says: str) -> None:
    explained = explain_event(data)
    assert (explained.kind, explained.said) == (kind, says)


def skeleton(text: str) -> list[str]:
    """The lines of a transcript without what differs from run to run."""
    lines = []
    for line in text.splitlines():
        plain = re.sub(r"-?[\d,]+(\.\d+)*", "N", line)
        plain = re.sub(r"'[^']*…[^']*'", "TEXT", plain)
        plain = re.sub(r" +", " ", plain).strip()
        lines.append(plain)
    return lines


@pytest.mark.servers
def test_the_documented_transcript_is_what_it_prints(testbed: Testbed) -> None:
    assert testbed.web_url is not None
    _, _, after = DOCUMENT.read_text().partition("```console\n$ glm-locust ")
    command, _, printed = after.partition("```")[0].partition("\n")
    arguments: list[Any] = shlex.split(command)
    assert arguments[:2] == ["ask", "--web"]
    arguments[2] = testbed.web_url
    done = run(*arguments[1:])
    assert done.returncode == 0
    _, _, documented = printed.partition("outcome ")
    _, _, now = done.stdout.partition("outcome ")
    assert skeleton(now) == skeleton(documented)
