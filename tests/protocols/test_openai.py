"""The OpenAI session: what counts as first token, reasoning, usage and end; recorded streams, any split."""

import base64
import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.protocols.openai import CHAT_PATH, OpenAISession, error_text, model_names
from glm_locust.records import Accepted, Ended, ErrorKind, Outcome, Output, Signal, TextKind, Usage
from glm_locust.workload.prompt import Image, Prompt

CAPTURES = sorted((Path(__file__).parents[1] / "captures" / "sse").glob("*.jsonl"))
QUESTION = Prompt("describe", "What is this?")


class Answer(NamedTuple):
    """The body of a recorded answer, without its HTTP framing."""

    status: int
    content_type: str
    body: bytes


class _Body:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.content_type = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value.decode()

    def on_body(self, data: bytes) -> None:
        self.parts.append(data)


def load(capture: Path) -> Answer:
    reads = [json.loads(line)["raw"] for line in capture.read_text().splitlines()[1:]]
    body = _Body()
    parser = httptools.HttpResponseParser(body)
    parser.feed_data("".join(reads).encode("latin-1"))
    return Answer(parser.get_status_code(), body.content_type, b"".join(body.parts))


def signals_of(
    *pieces: bytes,
    status: int = 200,
    content_type: str = "text/event-stream; charset=utf-8",
    expected: str | None = None,
    **options: Any,
) -> list[Signal]:
    session = OpenAISession(**options)
    list(session.ask(Prompt("describe", "What is this?", expected=expected)))
    signals = session.head(status, content_type)
    for piece in pieces:
        signals += session.receive(piece)
    return signals + session.eof()


def ended(signals: list[Signal]) -> Ended:
    ends = [signal for signal in signals if isinstance(signal, Ended)]
    assert len(ends) == 1
    assert ends[0] is signals[-1]
    return ends[0]


def stream(*chunks: dict[str, Any] | str) -> bytes:
    """A stream of these chunks; a text stands for a delta with this content, [DONE] for itself."""
    events = []
    for item in chunks:
        if item == "[DONE]":
            events.append("[DONE]")
        else:
            events.append(json.dumps(content(item) if isinstance(item, str) else item))
    return "".join(f"data: {event}\n\n" for event in events).encode()


def content(text: str, **choice: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": {"content": text}, **choice}]}


def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": index, "delta": fields}]}


FINISH = content("", finish_reason="stop")
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
DONE = "[DONE]"
R, A = TextKind.REASONING, TextKind.ANSWER


# Outputs are told as (candidate, kind, chars).
@pytest.mark.parametrize(
    ("why", "chunks", "outputs", "text"),
    [
        ("a role alone is no text", [delta(role="assistant"), "Hi"], [("answer", A, 2)], "Hi"),
        (
            "an empty delta is no text",
            [delta(role="assistant", content=""), "", "Hi"],
            [("answer", A, 2)],
            "Hi",
        ),
        ("nor is null", [delta(content=None, reasoning=None), "Hi"], [("answer", A, 2)], "Hi"),
        ("vLLM says reasoning", [delta(reasoning="Hm"), "Hi"], [("reasoning", R, 2), ("answer", A, 2)], "Hi"),
        (
            "others say reasoning_content",
            [delta(reasoning_content="Hm"), "Hi"],
            [("reasoning", R, 2), ("answer", A, 2)],
            "Hi",
        ),
        (
            "some say both at once",
            [delta(reasoning="Hm", reasoning_content="Hm"), "Hi"],
            [("reasoning", R, 2), ("answer", A, 2)],
            "Hi",
        ),
        (
            "reasoning and answer in one delta",
            [delta(reasoning="Hm", content="Hi")],
            [("reasoning", R, 2), ("answer", A, 2)],
            "Hi",
        ),
        (
            "a leading think tag in the content",
            ["<think>", "Hm", "</think>", "\nHi"],
            [("reasoning", R, 7), ("reasoning", R, 2), ("reasoning", R, 8), ("answer", A, 3)],
            "\nHi",
        ),
        (
            "all of it in one delta",
            ["<think>Hm</think>Hi"],
            [("reasoning", R, 17), ("answer", A, 2)],
            "Hi",
        ),
        (
            "tags split over deltas: the first text counts when it comes, and its kind is settled later",
            ["<th", "ink>H", "m</thi", "nk>Hi"],
            [("opening", A, 3), ("opening", R, 5), ("opening", R, 6), ("opening", R, 3), ("answer", A, 2)],
            "Hi",
        ),
        (
            "white space before the tag",
            ["\n", "<think>Hm</think>", "Hi"],
            [("opening", A, 1), ("opening", R, 17), ("answer", A, 2)],
            "Hi",
        ),
        (
            "white space before an answer",
            ["\n", "Hi"],
            [("opening", A, 1), ("opening", A, 2)],
            "\nHi",
        ),
        ("what only begins like the tag", ["<", "table>"], [("opening", A, 1), ("opening", A, 6)], "<table>"),
        ("a tag later in the text is text", ["Hi <think>"], [("answer", A, 10)], "Hi <think>"),
        (
            "a closing tag alone is text: nobody assumes that an answer begins in mid-thought",
            ["Hm</think>Hi"],
            [("answer", A, 12)],
            "Hm</think>Hi",
        ),
        (
            "a server that splits the reasoning itself sends no tags",
            [delta(reasoning="Hm"), "<think>"],
            [("reasoning", R, 2), ("answer", A, 7)],
            "<think>",
        ),
        (
            "white space, then reasoning",
            ["\n", delta(reasoning="Hm"), "Hi"],
            [("opening", A, 1), ("opening", R, 2), ("answer", A, 2)],
            "Hi",
        ),
        (
            "tool calls count as text",
            [
                delta(tool_calls=[{"index": 0, "id": "t1", "function": {"name": "find", "arguments": ""}}]),
                delta(tool_calls=[{"index": 0, "function": {"arguments": '{"x":1}'}}]),
            ],
            [("answer", A, 4), ("answer", A, 7)],
            "",
        ),
        ("so does a refusal", [delta(refusal="No.")], [("answer", A, 3)], "No."),
        (
            "of several answers only the first counts",
            [delta(1, content="other"), "Hi", delta(1, content="other")],
            [("answer", A, 2)],
            "Hi",
        ),
        (
            "several tokens in one delta are one delta",
            ["Hello there, you"],
            [("answer", A, 16)],
            "Hello there, you",
        ),
        ("content in parts", [delta(content=[{"type": "text", "text": "Hi"}])], [("answer", A, 2)], "Hi"),
        (
            "NaN is not JSON, but servers send it",
            [delta(content="Hi", logprob=float("nan"))],
            [("answer", A, 2)],
            "Hi",
        ),
        (
            "a surrogate pair in two halves",
            ["\ud83c", "\udf5c"],
            [("answer", A, 1), ("answer", A, 1)],
            "🍜",
        ),
        ("half a pair cannot be kept", ["a\ud83c"], [("answer", A, 2)], "a\ufffd"),
    ],
)
def test_text(why: str, chunks: list[Any], outputs: list[tuple[str, TextKind, int]], text: str) -> None:
    signals = signals_of(stream(*chunks, FINISH, DONE))
    assert [(s.candidate, s.kind, s.chars) for s in signals if isinstance(s, Output)] == outputs, why
    end = ended(signals)
    assert (end.outcome, end.text) == (Outcome.OK, text), why
    answers = {s.candidate for s in signals if isinstance(s, Output) and s.kind is A}
    assert end.answer in answers or not answers, why


def test_think_tags_can_be_switched_off() -> None:
    signals = signals_of(stream("<think>Hm</think>Hi", FINISH, DONE), think_tags=False)
    assert ended(signals).text == "<think>Hm</think>Hi"


@pytest.mark.parametrize(
    ("why", "chunks", "usages"),
    [
        ("in a chunk of its own", ["Hi", FINISH, USAGE], [(7, 3)]),
        ("in the last chunk", ["Hi", {**FINISH, "usage": USAGE["usage"]}], [(7, 3)]),
        (
            "in every chunk",
            [{**content("Hi"), "usage": {"prompt_tokens": 7, "completion_tokens": 1}}, FINISH, USAGE],
            [(7, 1), (7, 3)],
        ),
        ("null in most", [{**content("Hi"), "usage": None}, FINISH, USAGE], [(7, 3)]),
        (
            "nonsense is not believed",
            ["Hi", FINISH, {"choices": [], "usage": {"completion_tokens": "3"}}],
            [(None, None)],
        ),
        ("never", ["Hi", FINISH], []),
    ],
)
def test_usage(why: str, chunks: list[Any], usages: list[tuple[int | None, int | None]]) -> None:
    signals = signals_of(stream(*chunks, DONE))
    assert [(s.prompt_tokens, s.output_tokens) for s in signals if isinstance(s, Usage)] == usages, why
    assert ended(signals).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("why", "body", "outcome", "kind", "detail"),
    [
        ("finish_reason, then [DONE]", stream("Hi", FINISH, DONE), Outcome.OK, None, None),
        ("not every server sends [DONE]", stream("Hi", FINISH), Outcome.OK, None, None),
        (
            "[DONE] without finish_reason",
            stream("Hi", DONE),
            Outcome.FAILED,
            ErrorKind.TRUNCATED,
            "finish_reason",
        ),
        ("an end without finish_reason", stream("Hi"), Outcome.FAILED, ErrorKind.TRUNCATED, "finish_reason"),
        ("no event at all", b"", Outcome.FAILED, ErrorKind.TRUNCATED, "finish_reason"),
        ("only comments", b": ping\n\n", Outcome.FAILED, ErrorKind.TRUNCATED, "finish_reason"),
        (
            "neither text nor tokens",
            stream(FINISH, DONE),
            Outcome.FAILED,
            ErrorKind.EMPTY,
            "neither text nor",
        ),
        (
            "zero tokens are none",
            stream(FINISH, {"choices": [], "usage": {"completion_tokens": 0}}, DONE),
            Outcome.FAILED,
            ErrorKind.EMPTY,
            "neither text nor",
        ),
        ("tokens without visible text", stream(FINISH, USAGE, DONE), Outcome.OK, None, None),
        (
            "an error in mid-stream",
            stream("Hi", {"error": {"message": "out of\nmemory", "code": 500}}, DONE),
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "out of memory",
        ),
        (
            "an error as plain text, as transformers has it",
            stream("Hi", {"error": "bad temperature"}),
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "bad temperature",
        ),
        (
            "the same with quotes nobody escaped",
            b'data: {"error": "it says "no""}\n\n',
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            'it says "no"',
        ),
        (
            "an event of type error",
            b'event: error\ndata: {"message": "gone"}\n\n',
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "gone",
        ),
        (
            "an error object, as old vLLM has it",
            stream({"object": "error", "message": "too long"}),
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "too long",
        ),
        (
            "a server that gave up",
            stream("Hi", content("", finish_reason="abort"), DONE),
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "finish_reason abort",
        ),
        (
            "a server that gave up and says why",
            stream("Hi", content("", finish_reason={"type": "abort", "message": "shutdown"}), DONE),
            Outcome.FAILED,
            ErrorKind.SERVER_ERROR,
            "shutdown",
        ),
        (
            "an error that is null is none",
            stream({**content("Hi"), "error": None}, FINISH),
            Outcome.OK,
            None,
            None,
        ),
        ("garbage", b"data: {broken\n\n", Outcome.FAILED, ErrorKind.PROTOCOL, "not JSON: {broken"),
        ("JSON of another kind", b"data: 5\n\n", Outcome.FAILED, ErrorKind.PROTOCOL, "not a chat completion"),
        (
            "what comes after [DONE] is ignored",
            stream("Hi", FINISH, DONE) + b"data: {\n\n",
            Outcome.OK,
            None,
            None,
        ),
        ("deep nesting", b"data: " + b"[" * 5000 + b"\n\n", Outcome.FAILED, ErrorKind.PROTOCOL, "not"),
        ("an event over the limit", b"data: " + b"x" * 5_000_000, Outcome.FAILED, ErrorKind.PROTOCOL, "over"),
    ],
)
def test_end(why: str, body: bytes, outcome: Outcome, kind: ErrorKind | None, detail: str | None) -> None:
    end = ended(signals_of(body))
    assert (end.outcome, end.kind) == (outcome, kind), why
    assert (end.detail is None) if detail is None else (detail in (end.detail or "")), why


@pytest.mark.parametrize(
    ("status", "content_type", "body", "kind", "detail"),
    [
        (
            429,
            "application/json",
            b'{"error": {"message": "busy"}}',
            ErrorKind.REJECTED,
            "HTTP status 429: busy",
        ),
        (503, "text/plain", b"overloaded", ErrorKind.REJECTED, "HTTP status 503: overloaded"),
        (
            500,
            "text/plain",
            b"Internal Server Error",
            ErrorKind.HTTP_STATUS,
            "HTTP status 500: Internal Server Error",
        ),
        (400, "application/json", b'{"detail": "no"}', ErrorKind.HTTP_STATUS, "HTTP status 400: no"),
        (
            422,
            "application/json",
            b'{"detail": [{"loc": ["body", "messages"], "msg": "Field required", "type": "missing"}]}',
            ErrorKind.HTTP_STATUS,
            "HTTP status 422: body.messages: Field required",
        ),
        (
            413,
            "application/json",
            b'{"message": "too large"}',
            ErrorKind.HTTP_STATUS,
            "HTTP status 413: too large",
        ),
        (404, "text/html", b"", ErrorKind.HTTP_STATUS, "HTTP status 404: no message"),
        (307, "text/html", b"", ErrorKind.HTTP_STATUS, "HTTP status 307: no message"),
        (
            500,
            "application/json",
            b'{"error": {"code": 7}}',
            ErrorKind.HTTP_STATUS,
            'HTTP status 500: {"code": 7}',
        ),
        (
            502,
            "text/event-stream",
            b"\x00\xff\x1b[31m<html>",
            ErrorKind.HTTP_STATUS,
            "HTTP status 502: \ufffd [31m<html>",
        ),
    ],
)
def test_http_errors(status: int, content_type: str, body: bytes, kind: ErrorKind, detail: str) -> None:
    signals = signals_of(body, status=status, content_type=content_type)
    assert not any(isinstance(signal, Accepted) for signal in signals)
    assert ended(signals) == Ended(Outcome.FAILED, kind, detail, answer="answer")


def test_a_long_error_body_is_cut() -> None:
    signals = signals_of(b"x" * 100_000, b"y" * 100_000, status=500, content_type="text/plain")
    assert len(ended(signals).detail or "") < 400


def whole(message: dict[str, Any], **more: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c2", "object": "chat.completion", "choices": [choice], **more}).encode()


def test_an_answer_in_one_json_body_counts_when_it_is_there_and_is_flagged() -> None:
    body = whole({"role": "assistant", "content": "<think>Hm</think>Hi"}, usage=USAGE["usage"])
    signals = signals_of(body[:30], body[30:], content_type="application/json")
    assert signals == [
        Accepted(200),
        Output("reasoning", R, 17),
        Output("answer", A, 2),
        Usage(7, 3),
        Ended(Outcome.OK, answer="answer", text="Hi", streamed=False, upstream_id="c2"),
    ]


@pytest.mark.parametrize(
    ("why", "body", "kind", "detail"),
    [
        ("an error instead", b'{"error": {"message": "no"}}', ErrorKind.SERVER_ERROR, "no"),
        ("something else", b'{"hello": 1}', ErrorKind.PROTOCOL, 'no answer in the JSON body: {"hello": 1}'),
        ("not even JSON", b"<html>", ErrorKind.PROTOCOL, "not JSON: <html>"),
        ("nothing", b"", ErrorKind.PROTOCOL, "not JSON: nothing"),
        ("an empty answer", whole({"content": ""}), ErrorKind.EMPTY, "neither text nor completion tokens"),
    ],
)
def test_json_bodies_that_are_no_answer(why: str, body: bytes, kind: ErrorKind, detail: str) -> None:
    end = ended(signals_of(body, content_type="application/json; charset=utf-8"))
    assert (end.kind, end.detail) == (kind, detail), why


def test_a_json_body_need_not_say_why_it_ended() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hi"}}]}).encode()
    assert ended(signals_of(body, content_type="application/json")).outcome is Outcome.OK


def test_a_web_page_is_no_stream() -> None:
    end = ended(signals_of(b"<!doctype html><title>Log in</title>", content_type="text/html"))
    assert (end.kind, end.detail) == (ErrorKind.PROTOCOL, "expected an event stream, got text/html")


@pytest.mark.parametrize(
    ("expected", "right"),
    [("87", True), ("Highest  VALUE\nis 87", True), ("thehighest", True), ("88", False), ("", True)],
)
def test_the_expected_answer_is_compared_without_case_and_white_space(expected: str, right: bool) -> None:
    end = ended(signals_of(stream("The highest ", "value is 8", "7.", FINISH, DONE), expected=expected))
    assert end.kind is (None if right else ErrorKind.WRONG_ANSWER)
    assert end.text == "The highest value is 87."


def test_the_expected_answer_must_not_only_be_thought() -> None:
    end = ended(signals_of(stream("<think>87</think>", "No idea", FINISH, DONE), expected="87"))
    assert end.kind is ErrorKind.WRONG_ANSWER


def test_a_reader_is_told_the_answer_and_nothing_of_the_reasoning() -> None:
    for chunks, told in (
        (["<think>Hm</think>", "\nHi", " there"], ["\nHi", " there"]),
        (["\n", "<th", "ink>Hm</think>Hi"], ["Hi"]),
        (["\n", "Hi"], ["\nHi"]),
        (["<"], ["<"]),
    ):
        texts: list[str] = []
        signals_of(stream(*chunks, FINISH, DONE), on_text=texts.append)
        assert texts == told


def test_a_session_asks_again_from_scratch() -> None:
    session = OpenAISession()
    for text in ("one", "two"):
        list(session.ask(QUESTION))
        signals = session.head(200, "text/event-stream") + session.receive(stream(text, FINISH, DONE))
        assert ended(signals).text == text
        assert session.receive(b"data: late\n\n") == session.eof() == []


def test_the_request() -> None:
    png, jpeg = b"\x89PNG" + b"p" * 50, b"\xff\xd8" + b"j" * 50
    images = (Image(png, "image/png", 5, 5, "a.png"), Image(jpeg, "image/jpeg", 5, 5, "b.jpg"))
    session = OpenAISession(model="glm", max_tokens=64, extra_body={"temperature": 0, "stream_options": None})
    (post,) = session.ask(Prompt("compare", "图中有什么？", images))
    body = json.loads(post.body)
    urls = [
        "data:image/png;base64," + base64.b64encode(png).decode(),
        "data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
    ]
    assert body == {
        "messages": [
            {
                "role": "user",
                "content": [
                    *({"type": "image_url", "image_url": {"url": url}} for url in urls),
                    {"type": "text", "text": "图中有什么？"},
                ],
            }
        ],
        "stream": True,
        "stream_options": None,
        "model": "glm",
        "max_tokens": 64,
        "temperature": 0,
    }
    assert post.path == CHAT_PATH
    assert post.headers["Content-Type"] == "application/json"
    assert post.image_bytes == sum(map(len, urls))


def test_a_request_without_model_and_images() -> None:
    (post,) = OpenAISession().ask(QUESTION)
    assert json.loads(post.body) == {
        "messages": [{"role": "user", "content": "What is this?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert post.image_bytes == 0


# capture: reasoning deltas, answer deltas, (prompt, output) tokens, kind of failure, streamed
FACTS: dict[str, tuple[int, int, tuple[int, int] | None, ErrorKind | None, bool]] = {
    "tf_chart": (24, 46, (355, 71), None, True),
    "tf_err_bad_image": (0, 0, None, ErrorKind.HTTP_STATUS, True),
    "tf_err_model": (0, 0, None, ErrorKind.HTTP_STATUS, True),
    "tf_err_temperature": (0, 0, None, ErrorKind.SERVER_ERROR, True),
    "tf_err_unknown_field": (0, 0, None, ErrorKind.HTTP_STATUS, True),
    "tf_nonstream": (1, 0, (352, 8), None, False),
    "tf_response_template_reasoning": (22, 43, (355, 71), None, True),
    "tf_stream_nothink": (0, 8, (356, 8), None, True),
    "tf_stream_plain": (8, 0, (352, 8), None, True),
    "vllm_chart": (22, 45, (355, 71), None, True),
    "vllm_err_bad_image": (0, 0, None, ErrorKind.HTTP_STATUS, True),
    "vllm_err_model": (0, 0, None, ErrorKind.HTTP_STATUS, True),
    "vllm_err_unknown_field": (0, 0, None, ErrorKind.SERVER_ERROR, True),
    "vllm_first": (23, 0, (352, 24), None, True),
    "vllm_include_reasoning_false": (0, 0, (354, 16), None, True),
    "vllm_logprobs": (2, 0, (354, 4), None, True),
    "vllm_max_tokens_1": (0, 0, (354, 1), None, True),
    "vllm_n2": (5, 0, (354, 12), None, True),
    "vllm_nonstream": (1, 0, (352, 8), None, False),
    "vllm_return_token_ids": (3, 0, (354, 4), None, True),
    "vllm_specdecode_ngram": (34, 36, (355, 96), None, True),
    "vllm_stream_contusage": (7, 0, (352, 8), None, True),
    "vllm_stream_interval4": (5, 12, (354, 65), None, True),
    "vllm_stream_nothink": (0, 8, (356, 8), None, True),
    "vllm_stream_plain": (7, 0, None, None, True),
    "vllm_stream_random": (4, 9, (352, 16), None, True),
    "vllm_utf8_random_tokens": (44, 28, (354, 80), None, True),
}


def test_every_capture_has_its_facts() -> None:
    assert [capture.stem for capture in CAPTURES] == sorted(FACTS)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_recorded_answers(capture: Path) -> None:
    answer = load(capture)
    signals = signals_of(answer.body, status=answer.status, content_type=answer.content_type)
    end = ended(signals)
    kinds = [signal.kind for signal in signals if isinstance(signal, Output)]
    counts = [signal for signal in signals if isinstance(signal, Usage)]
    tokens = (counts[-1].prompt_tokens, counts[-1].output_tokens) if counts else None
    assert (kinds.count(R), kinds.count(A), tokens, end.kind, end.streamed) == FACTS[capture.stem]
    assert (end.kind is None) == (end.outcome is Outcome.OK)
    assert (end.detail is None) == (end.outcome is Outcome.OK)

    by_byte = (answer.body[i : i + 1] for i in range(len(answer.body)))
    assert signals == signals_of(*by_byte, status=answer.status, content_type=answer.content_type)


def test_the_same_answer_reads_the_same_from_both_servers() -> None:
    texts = {
        ended(signals_of(answer.body, content_type=answer.content_type)).text.strip()
        for answer in (load(path) for path in CAPTURES if path.stem.endswith("_chart"))
    }
    assert len(texts) == 1
    assert "87" in texts.pop()


SCENES = [
    stream("<th", "ink>H", "m</thi", "nk>面条 🍜", FINISH, USAGE, DONE),
    stream("\n", delta(reasoning="嗯"), "Hi", FINISH).replace(b"\n\n", b"\r\n\r\n"),
    b": ping\r\r" + stream("Hi", {"error": "no"}, DONE).replace(b"\n", b"\r"),
    stream("Hi") + b"data: {broken\n\n" + stream("more", DONE),
]


@given(st.data())
def test_any_split_gives_the_same_signals(data: st.DataObject) -> None:
    answer = data.draw(
        st.sampled_from([Answer(200, "text/event-stream", scene) for scene in SCENES])
        | st.sampled_from(CAPTURES).map(load),
        label="answer",
    )
    cuts = data.draw(st.lists(st.integers(0, len(answer.body)), max_size=30), label="cuts")
    edges = [0, *sorted(cuts), len(answer.body)]
    pieces = [answer.body[a:b] for a, b in itertools.pairwise(edges)]
    given_whole = signals_of(answer.body, status=answer.status, content_type=answer.content_type)
    assert signals_of(*pieces, status=answer.status, content_type=answer.content_type) == given_whole


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b"}]}', ["a", "b"]),
        (b'{"data": []}', []),
        (b'{"data": [5, {"x": 1}]}', []),
        (b'{"models": []}', None),
        (b"<html>", None),
    ],
)
def test_lists_of_models(body: bytes, names: list[str] | None) -> None:
    assert model_names(body) == names


def test_error_texts_are_one_short_line() -> None:
    assert error_text({"error": {"error": {"detail": "a\nb\x1b"}}}) == "a b"
    assert len(error_text("x" * 10_000)) <= 300
