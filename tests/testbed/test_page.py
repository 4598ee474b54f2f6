"""The page's script, run by Streamlit's own test harness against a real server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from glm_locust.records import digest
from glm_locust.testbed.faults import Fault, FaultKind
from glm_locust.testbed.page import without_thoughts
from glm_locust.testbed.presets import MODEL
from tests.testbed.conftest import RunningServer

Serve = Callable[..., Any]
PAGE = Path(__file__).parents[2] / "glm_locust" / "testbed" / "page.py"


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunningServer], AppTest]:
    def start(server: RunningServer) -> AppTest:
        streamlit.cache_resource.clear()
        monkeypatch.setenv("GLM_TESTBED_API_URL", str(server.client.base_url))
        monkeypatch.setenv("GLM_TESTBED_MODEL", MODEL)
        return AppTest.from_file(str(PAGE), default_timeout=60).run()

    return start


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (("An ", "answer."), "An answer."),
        (("<think>", "So", "</think>", "An answer."), "An answer."),
        (("<thi", "nk>So</thi", "nk>An ", "answer with </think>."), "An answer with </think>."),
        (("<thi", "ng> is no tag"), "<thing> is no tag"),
        (("<think>", "So"), ""),
        (("<thi",), "<thi"),
        ((), ""),
    ],
)
def test_reasoning_in_the_text_is_left_out(pieces: tuple[str, ...], shown: str) -> None:
    assert "".join(without_thoughts(iter(pieces))) == shown


def ask(page: AppTest, question: str) -> None:
    page.text_area[0].set_value(question)
    page.button[0].click().run()


def messages(page: AppTest) -> list[tuple[str, str]]:
    return [(message.name, message.markdown[0].value) for message in page.chat_message if message.markdown]


def test_the_question_reaches_the_server_unchanged_and_the_answer_is_shown(
    serve: Serve, open_page: Callable[[RunningServer], AppTest]
) -> None:
    question = "  图里有什么？\n\nAnd *why*, in <b>bold</b>?  "
    with serve() as server:
        page = open_page(server)
        ask(page, question)
        (truth,) = server.truth(1)
        whole = server.client.post(
            "/v1/chat/completions", json={"messages": [{"role": "user", "content": question}]}
        ).json()
    assert not page.exception
    assert not page.error
    assert truth.prompt_id == digest(question)
    (_, shown), (_, answer) = messages(page)
    assert shown == question.strip(), "Markdown shows no surrounding blanks"
    assert answer == whole["choices"][0]["message"]["content"], "the answer follows from the exact question"


def test_four_turns_are_remembered(serve: Serve, open_page: Callable[[RunningServer], AppTest]) -> None:
    with serve() as server:
        page = open_page(server)
        for index in range(6):
            ask(page, f"question {index}")
        prompts = [truth.prompt_tokens for truth in server.truth(6)]
    asked = [text for name, text in messages(page) if name == "user"]
    assert asked == [f"question {index}" for index in (1, 2, 3, 4, 5)], (
        "four of before, and the one just asked"
    )
    assert len(set(prompts)) == 1, "each question is sent alone"


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (FaultKind.SERVER_ERROR, "500: A fault was asked for."),
        (FaultKind.CUT, "The model server failed: "),
        (FaultKind.GARBAGE, "The model server failed: "),
    ],
)
def test_a_failing_server_is_an_error_on_the_page(
    serve: Serve, open_page: Callable[[RunningServer], AppTest], fault: FaultKind, shown: str
) -> None:
    with serve(faults=(Fault(kind=fault),)) as server:
        page = open_page(server)
        ask(page, "question")
        assert not page.exception
        assert shown in page.error[0].value
        ask(page, "again")
        assert not page.error
    assert ("user", "question") not in messages(page), "what failed is not in the history"


@pytest.mark.parametrize(("key", "shown"), [("secret", None), ("wrong", "401: The API key is wrong.")])
def test_the_page_has_the_key_from_its_environment(
    serve: Serve,
    open_page: Callable[[RunningServer], AppTest],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    shown: str | None,
) -> None:
    monkeypatch.setenv("GLM_TESTBED_API_KEY_ENV", "GLM_TEST_PAGE_KEY")
    monkeypatch.setenv("GLM_TEST_PAGE_KEY", key)
    with serve(api_key="secret") as server:
        page = open_page(server)
        ask(page, "question")
    assert not page.exception
    assert [shown in error.value for error in page.error] == ([True] if shown else [])


def test_an_empty_question_is_not_sent(serve: Serve, open_page: Callable[[RunningServer], AppTest]) -> None:
    with serve() as server:
        page = open_page(server)
        ask(page, "   ")
        assert "type a question" in page.error[0].value
        assert server.truth(0) == []
