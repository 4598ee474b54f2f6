"""What real engines answer, as it stands in the records: one list for all of them."""

from itertools import pairwise
from typing import Any

import gevent
import pytest

from glm_locust.records import ErrorKind, Outcome, TokenSource, digest
from glm_locust.workload import TASKS
from glm_locust.workload.prompt import Image, Prompt
from tests.engines.conftest import QUIET, Served, asked, new_measurement, sealed
from tests.plugin.team import until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

IMAGE_TOKENS = 324
"""Of an image of 512 x 512: patches of 14 pixels, four to a token."""
FRAME_TOKENS = 2
TEXT = Prompt("text", "What is this?")


@pytest.mark.parametrize("thinking", [True, False], ids=["thinking", "quiet"])
@pytest.mark.parametrize("task", TASKS)
def test_an_answer(served: Served, task: str, thinking: bool) -> None:
    prompt = served.workload.prompt(task, 1 + thinking)
    record, text = served.ask(prompt, extra_body={} if thinking else QUIET)
    assert (record.outcome, record.http_status, record.streamed) == (Outcome.OK, 200, True), record
    assert text == served.reply.answer
    assert record.answer_digest == digest(served.reply.answer)
    assert record.token_source is TokenSource.USAGE
    assert record.output_tokens == served.reply.tokens(thinking=thinking)
    assert record.prompt_tokens is not None
    assert record.prompt_tokens > (IMAGE_TOKENS + FRAME_TOKENS) * len(prompt.images) > 0
    instants = (
        record.sent_ns,
        record.accepted_ns,
        record.first_token_ns,
        record.first_output_ns,
        record.last_output_ns,
        record.finished_ns,
    )
    assert all(a is not None and b is not None and a <= b for a, b in pairwise(instants))
    # On a busy machine one read brings reasoning and answer: then both have its instant.
    assert thinking or record.first_output_ns == record.first_token_ns
    assert len(record.output_gaps_us) < record.output_tokens


def test_think_tags_stay_in_the_answer_where_that_is_asked_for(served: Served) -> None:
    _, text = served.ask(TEXT, think_tags=False)
    answer, reasoning = served.reply.answer, served.reply.reasoning
    # vLLM has split them itself, into a field of their own.
    assert text == (answer if served.name == "vllm" else f"<think>{reasoning}</think>{answer}")


def test_each_image_counts(served: Served) -> None:
    images = served.workload.prompt("compare", 5).images
    tokens = []
    for count in (0, 1, 2):
        record, _ = served.ask(Prompt("some", "What is this?", images[:count]), max_tokens=2)
        tokens.append(record.prompt_tokens or 0)
    assert [b - a for a, b in pairwise(tokens)] == [IMAGE_TOKENS + FRAME_TOKENS] * 2


def test_an_answer_cut_by_its_length_is_whole(served: Served) -> None:
    record, text = served.ask(TEXT, max_tokens=9, extra_body=QUIET)
    assert (record.outcome, record.output_tokens) == (Outcome.OK, 9)
    assert text
    assert served.reply.answer.startswith(text)
    assert text != served.reply.answer


def test_one_token_without_visible_text(served: Served) -> None:
    # The answer begins with a character of three tokens, so the first one alone shows nothing.
    record, text = served.ask(TEXT, max_tokens=1, extra_body=QUIET)
    assert (record.outcome, record.output_tokens, text) == (Outcome.OK, 1, "")
    assert (record.first_token_ns, record.first_output_ns, record.output_chars) == (None, None, 0)


def test_characters_of_several_tokens_come_whole(served: Served) -> None:
    pieces: list[str] = []
    client = served.client(pieces.append, extra_body=QUIET)
    record = asked(client, TEXT)
    client.close()
    assert not [piece for piece in pieces if "\ufffd" in piece]
    assert any("大" in piece for piece in pieces)
    assert any("✓" in piece for piece in pieces)
    assert record.output_tokens is not None
    assert len(record.output_gaps_us) + 1 < record.output_tokens - 1, "their tokens make one text each"
    assert record.output_chars == len(served.reply.answer)


def test_a_user_who_leaves_in_mid_answer(served: Served) -> None:
    heard = gevent.event.Event()
    client = served.client(lambda _: heard.set(), extra_body=QUIET)
    measurement = new_measurement(TEXT)
    user = gevent.spawn(client.ask, TEXT, measurement)
    assert heard.wait(60)
    user.kill()
    client.close()
    assert sealed(measurement).outcome is Outcome.CANCELLED
    if served.engine.has_metrics:
        until(lambda: served.metrics()["vllm:num_requests_running"] == 0, "the engine gave up the answer")
    record, text = served.ask(TEXT, extra_body=QUIET)
    assert (record.outcome, text) == (Outcome.OK, served.reply.answer)


BROKEN = Prompt("bad", "What is this?", (Image(b"no image at all", "image/png", 8, 8, "a.png"),))
LONG = Prompt("long", "word " * 6000)
OF_TRANSFORMERS = {
    # It answers what is too long for others, and what is wrong as the fault of nobody in particular.
    "bad image": (ErrorKind.HTTP_STATUS, 500, "Internal Server Error"),
    "unknown model": (ErrorKind.HTTP_STATUS, 400, "nobody/nothing"),
    "too long": (None, 200, ""),
    "bad temperature": (ErrorKind.SERVER_ERROR, 200, "temperature"),
}
OF_VLLM = {
    "bad image": (ErrorKind.HTTP_STATUS, 400, "image"),
    "unknown model": (ErrorKind.HTTP_STATUS, 404, "nobody/nothing"),
    "too long": (ErrorKind.HTTP_STATUS, 400, "4096"),
    "bad temperature": (ErrorKind.HTTP_STATUS, 400, "temperature"),
}


@pytest.mark.parametrize(
    ("case", "prompt", "target"),
    [
        ("bad image", BROKEN, {}),
        ("unknown model", TEXT, {"model": "nobody/nothing"}),
        ("too long", LONG, {"max_tokens": 4}),
        ("bad temperature", TEXT, {"extra_body": {"temperature": -1}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_engine_refuses(served: Served, case: str, prompt: Prompt, target: dict[str, Any]) -> None:
    kind, status, said = (OF_VLLM if served.name == "vllm" else OF_TRANSFORMERS)[case]
    record, _ = served.ask(prompt, **target)
    assert (record.error_kind, record.http_status) == (kind, status), record.error_detail
    assert said in (record.error_detail or "")
    assert (record.outcome is Outcome.OK) == (kind is None)
    assert served.ask(TEXT)[0].outcome is Outcome.OK, "the engine still answers"
