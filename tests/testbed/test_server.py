"""The simulated server as clients meet it: streams, errors, limits, faults, metrics, truth."""

import base64
import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image

from glm_locust.records import digest
from glm_locust.testbed.faults import Fault, FaultKind
from glm_locust.testbed.presets import MODEL, TaskProfile
from glm_locust.testbed.wire import MAX_BODY_BYTES
from tests.testbed.conftest import FAST, RunningServer, wait_until

Serve = Callable[..., Any]

CHAT = "/v1/chat/completions"
SLOW = replace(FAST, step_s=0.02, other=TaskProfile(prepare_s=0.0, output_tokens=2000))


def image_url(width: int = 512, height: int = 512, form: str = "PNG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(file, form)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def body(text: str = "hello", *urls: str, **more: object) -> dict[str, Any]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [*images, {"type": "text", "text": text}] if images else text
    return {"messages": [{"role": "user", "content": content}], **more}


def events(response: httpx.Response) -> list[Any]:
    """The data of each event; `[DONE]` as it is."""
    assert response.headers["content-type"].startswith("text/event-stream")
    datas = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    return [data if data == "[DONE]" else json.loads(data) for data in datas]


def contents(chunks: list[Any]) -> list[str]:
    return [
        choice["delta"]["content"]
        for chunk in chunks
        if chunk != "[DONE]"
        for choice in chunk["choices"]
        if choice["delta"].get("content")
    ]


def test_a_stream_has_role_tokens_finish_usage_and_done(serve: Serve) -> None:
    question = body("hello", image_url(), model=MODEL, stream=True, stream_options={"include_usage": True})
    with serve() as server:
        chunks = events(server.client.post(CHAT, json=question, headers={"X-Request-Id": "abc-1"}))
        (truth,) = server.truth(1)
    role, *tokens, finish, usage, done = chunks
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(list(chunk["choices"][0]["delta"]) == ["content"] for chunk in tokens)
    assert finish["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert usage["choices"] == []
    assert done == "[DONE]"
    counts = usage["usage"]
    assert counts["completion_tokens"] == len(tokens) == truth.output_tokens
    assert counts["prompt_tokens"] == truth.prompt_tokens == 324 + 2 + 8 + 1
    assert counts["total_tokens"] == counts["prompt_tokens"] + counts["completion_tokens"]
    for chunk in chunks[:-1]:
        assert (chunk["id"], chunk["object"], chunk["model"]) == (
            "chatcmpl-abc-1",
            "chat.completion.chunk",
            MODEL,
        )
    assert (truth.outcome, truth.status, truth.images) == ("finished", 200, 1)
    assert (truth.prompt_id, truth.upstream_id) == (digest("hello"), "chatcmpl-abc-1")
    assert truth.received_ns is not None
    assert truth.first_token_ns is not None
    assert truth.received_head_ns <= truth.received_ns < truth.first_token_ns < truth.finished_ns


def test_usage_comes_only_when_asked_for(serve: Serve) -> None:
    with serve() as server:
        chunks = events(server.client.post(CHAT, json=body(stream=True)))
    assert all("usage" not in chunk for chunk in chunks[:-1])


def test_one_json_body_holds_the_text_that_the_stream_holds(serve: Serve) -> None:
    with serve(seed=3) as server:
        streamed = "".join(contents(events(server.client.post(CHAT, json=body(stream=True)))))
        whole = server.client.post(CHAT, json=body()).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": streamed}
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["completion_tokens"] > 0


def test_max_tokens_ends_the_answer_early(serve: Serve) -> None:
    with serve() as server:
        chunks = events(server.client.post(CHAT, json=body(stream=True, max_tokens=4)))
        newer = events(
            server.client.post(CHAT, json=body(stream=True, max_tokens=9, max_completion_tokens=1))
        )
    assert len(contents(chunks)) == 4
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert len(contents(newer)) == 1, "the newer name of the field wins"


def test_the_question_is_that_of_the_last_user_message(serve: Serve) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "answer"},
        {"role": "user", "content": [{"type": "text", "text": " second \n"}]},
    ]
    with serve() as server:
        assert server.client.post(CHAT, json={"messages": messages}).status_code == 200
        assert server.truth(1)[0].prompt_id == digest("second")


@pytest.mark.parametrize(
    ("sent", "status", "message", "why"),
    [
        ("{", 400, "not valid JSON", "half a JSON text"),
        (b"\xff\xfe", 400, "not valid JSON", "no text at all"),
        ({}, 400, "at least one message", "no messages"),
        (body() | {"messages": []}, 400, "at least one message", "an empty list of messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "role user", "nobody asks"),
        ({"messages": "hello"}, 422, "Expected `array`", "messages of the wrong type"),
        ({"messages": [{"content": "x"}]}, 422, "missing required field `role`", "a message without role"),
        (body(stream="yes"), 422, "Expected `bool`", "stream of the wrong type"),
        (body(max_tokens="9"), 422, "Expected `int | null`", "max_tokens of the wrong type"),
        (
            body() | {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
            422,
            "Invalid value",
            "video",
        ),
        (body(temperature=2.5), 400, "temperature: expected 0 to 2", "temperature out of range"),
        (body(max_tokens=0), 400, "at least 1", "no tokens wanted"),
        (body(n=2), 400, "one answer", "two answers wanted"),
        (body(max_tokens=8192), 400, "maximum context length is 8192", "longer than the context"),
        (body("x " * 9000), 400, "maximum context length", "a prompt longer than the context"),
        (body(model="gpt-9"), 404, "`gpt-9` does not exist", "another model"),
        (body("x", "data:image/png;base64,AAAA"), 400, "cannot identify image", "not an image"),
        (body("x", image_url()[:-400]), 400, "cannot identify image", "an image cut off"),
        (body("x", "data:image/png;base64,***"), 400, "cannot identify image", "not base64"),
        (body("x", "data:image/png,AAAA"), 400, "base64", "a data URL without base64"),
        (body("x", "https://example.org/a.png"), 400, "fetches nothing", "a URL to fetch"),
        (body("x", *[image_url(28, 28)] * 5), 400, "At most 4 image(s)", "five images"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    serve: Serve, sent: object, status: int, message: str, why: str
) -> None:
    data = sent if isinstance(sent, str | bytes) else json.dumps(sent)
    with serve() as server:
        response = server.client.post(CHAT, content=data)
        (truth,) = server.truth(1)
        assert server.client.post(CHAT, json=body()).status_code == 200, "and the next one is served"
    assert response.status_code == status, why
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert message in error["message"], why
    assert error["code"] == status
    assert (truth.outcome, truth.status, truth.first_token_ns) == ("error", status, None)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_several_images_of_either_format_count(serve: Serve, form: str) -> None:
    with serve() as server:
        answer = server.client.post(
            CHAT, json=body("hello", image_url(512, 512, form), image_url(56, 28, form))
        )
        assert server.truth(1)[0].images == 2
    assert answer.json()["usage"]["prompt_tokens"] == 324 + 2 + 2 * 2 + 8 + 1


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic secret", 401),
        ("Bearer sécret", 401),
        ("Bearer secret", 200),
    ],
)
def test_a_key_is_asked_for_where_one_is_set(serve: Serve, header: str | None, status: int) -> None:
    headers = {"Authorization": header.encode()} if header else {}
    with serve(api_key="secret") as server:
        for response in (
            server.client.post(CHAT, json=body(), headers=headers),
            server.client.get("/v1/models", headers=headers),
        ):
            assert response.status_code == status
            if status == 401:
                assert response.json()["error"]["type"] == "AuthenticationError"
                assert response.headers["www-authenticate"] == "Bearer"
                assert "secret" not in response.text
        assert server.client.get("/health").status_code == 200, "no key is needed to see that it is there"


def test_a_body_too_large_is_refused(serve: Serve) -> None:
    with serve() as server:
        response = server.client.post(CHAT, content=b"x" * (MAX_BODY_BYTES + 1))
        assert response.status_code == 413
        assert response.json()["error"]["type"] == "RequestEntityTooLargeError"
        assert server.client.post(CHAT, json=body()).status_code == 200


def test_unknown_paths_and_methods_have_an_error_body(serve: Serve) -> None:
    with serve() as server:
        for response, status in ((server.client.get("/v2"), 404), (server.client.get(CHAT), 405)):
            assert response.status_code == status
            assert response.json()["error"]["code"] == status


def test_models_names_one_that_is_simulated(serve: Serve) -> None:
    with serve() as server:
        (card,) = server.client.get("/v1/models").json()["data"]
    assert card["id"] == MODEL
    assert "simulated" in card["id"]
    assert card["max_model_len"] == FAST.max_model_tokens


def test_a_full_queue_answers_429_until_there_is_room(serve: Serve) -> None:
    spec = replace(SLOW, max_batch=1, max_waiting=1)
    with (
        serve(spec) as server,
        server.client.stream("POST", CHAT, json=body("running", stream=True)) as running,
    ):
        first = running.iter_lines()
        next(first)
        wait_until(lambda: server.gauge("num_requests_running") == 1, "one request in the batch")
        with server.client.stream("POST", CHAT, json=body("waiting", stream=True)):
            wait_until(lambda: server.gauge("num_requests_waiting") == 1, "one request waiting")
            refused = server.client.post(CHAT, json=body("refused"))
            assert refused.status_code == 429
            assert refused.json()["error"]["type"] == "TooManyRequestsError"
            assert int(refused.headers["retry-after"]) >= 1
        wait_until(lambda: server.gauge("num_requests_waiting") == 0, "the waiting one gave up")
        with server.client.stream("POST", CHAT, json=body("again", stream=True)) as again:
            assert again.status_code == 200
        waiting, *_ = (t for t in server.truth(2) if t.prompt_id == digest("waiting"))
        assert (waiting.running_at_arrival, waiting.waiting_at_arrival) == (1, 0)


def test_a_client_that_leaves_in_the_middle_frees_its_place(serve: Serve) -> None:
    with serve(SLOW) as server:
        with server.client.stream("POST", CHAT, json=body(stream=True)) as response:
            next(
                line for line in response.iter_lines() if '"content":' in line and '"content":""' not in line
            )
        (truth,) = server.truth(1)
        wait_until(lambda: server.gauge("num_requests_running") == 0, "the place is free")
        aborted = [line for line in server.client.get("/metrics").text.splitlines() if '"abort"' in line]
    assert (truth.outcome, truth.status) == ("aborted", 200)
    assert truth.first_token_ns is not None
    assert 1 <= truth.output_tokens < 2000
    assert aborted[0].endswith(" 1.0")


def test_a_client_that_leaves_before_the_answer_frees_its_place(serve: Serve) -> None:
    with serve(SLOW) as server:
        with pytest.raises(httpx.ReadTimeout):
            server.client.post(CHAT, json=body(), timeout=0.3)
        (truth,) = server.truth(1)
        wait_until(lambda: server.gauge("num_requests_running") == 0, "the place is free")
    assert (truth.outcome, truth.status, truth.first_token_ns) == ("aborted", None, None)


def test_many_at_once_are_batched(serve: Serve) -> None:
    spec = replace(FAST, step_s=0.02, other=TaskProfile(prepare_s=0.0, output_tokens=60))
    answers: dict[int, list[Any]] = {}

    def ask(server: RunningServer, index: int) -> None:
        answers[index] = events(server.client.post(CHAT, json=body(f"q{index}", stream=True)))

    with serve(spec) as server:
        threads = [threading.Thread(target=ask, args=(server, index)) for index in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        truths = server.truth(12)
    assert all(chunks[-1] == "[DONE]" for chunks in answers.values())
    assert len({t.prompt_id for t in truths}) == 12
    assert {t.outcome for t in truths} == {"finished"}
    assert max(t.running_at_arrival + t.waiting_at_arrival for t in truths) > 1, "they met in the engine"


VLLM_METRICS = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:e2e_request_latency_seconds_sum",
    "vllm:request_queue_time_seconds_count",
    "vllm:request_prefill_time_seconds_count",
    "vllm:request_decode_time_seconds_count",
    "vllm:inter_token_latency_seconds_count",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
)


def test_metrics_have_vllms_names_and_count(serve: Serve) -> None:
    with serve() as server:
        counts = server.client.post(CHAT, json=body("hello", image_url())).json()["usage"]
        server.client.post(CHAT, json=body(max_tokens=1))
        text = server.client.get("/metrics").text
        prompt, generated = server.gauge("prompt_tokens_total"), server.gauge("generation_tokens_total")
        ttft_count = server.gauge("time_to_first_token_seconds_count")
    for name in VLLM_METRICS:
        assert f'{name}{{engine="0"' in text, name
    assert 'finished_reason="stop",model_name="glm-4.6v-flash-simulated"} 1.0' in text
    assert 'finished_reason="length",model_name="glm-4.6v-flash-simulated"} 1.0' in text
    assert prompt == counts["prompt_tokens"] + 9
    assert generated == counts["completion_tokens"] + 1
    assert ttft_count == 2


def ask_raw(server: RunningServer, **more: object) -> tuple[list[bytes], Exception | None]:
    """The raw pieces of an answer, and what broke it."""
    parts: list[bytes] = []
    try:
        with server.client.stream("POST", CHAT, json=body(**more)) as response:
            parts += response.iter_raw()
    except httpx.HTTPError as error:
        return parts, error
    return parts, None


@pytest.mark.parametrize("stream", [True, False])
def test_fault_cut_closes_the_connection_in_the_middle(serve: Serve, stream: bool) -> None:
    with serve(faults=(Fault(kind=FaultKind.CUT, after_tokens=2),)) as server:
        parts, error = ask_raw(server, stream=stream)
        (truth,) = server.truth(1)
        assert ask_raw(server, stream=stream)[1] is None, "only the next request is broken"
    assert isinstance(error, httpx.RemoteProtocolError)
    assert truth.outcome == "error"
    if stream:
        assert truth.output_tokens == b"".join(parts).count(b'{"content":') == 2


def test_fault_500(serve: Serve) -> None:
    with serve(faults=(Fault(kind=FaultKind.SERVER_ERROR, count=2),)) as server:
        statuses = [server.client.post(CHAT, json=body(stream=True)).status_code for _ in range(3)]
        assert [t.outcome for t in server.truth(3)] == ["error", "error", "finished"]
    assert statuses == [500, 500, 200]


@pytest.mark.parametrize("stream", [True, False])
def test_fault_garbage_is_not_an_answer(serve: Serve, stream: bool) -> None:
    with serve(faults=(Fault(kind=FaultKind.GARBAGE, after_tokens=1),)) as server:
        response = server.client.post(CHAT, json=body(stream=stream))
        (truth,) = server.truth(1)
    assert (response.status_code, truth.outcome) == (200, "error")
    assert b"[DONE]" not in response.content
    with pytest.raises(ValueError, match=r"."):
        json.loads(response.content.rsplit(b"data: ", 1)[-1])


@pytest.mark.parametrize("kind", [FaultKind.DELAY, FaultKind.STALL])
@pytest.mark.parametrize("stream", [True, False])
def test_faults_delay_and_stall_take_their_time_and_finish(
    serve: Serve, kind: FaultKind, stream: bool
) -> None:
    with serve(faults=(Fault(kind=kind, seconds=0.3, after_tokens=5),)) as server:
        assert server.client.post(CHAT, json=body(stream=stream)).status_code == 200
        (truth,) = server.truth(1)
    assert truth.outcome == "finished"
    assert truth.first_token_ns is not None
    assert truth.received_ns is not None
    late_ns = truth.first_token_ns if kind is FaultKind.DELAY or not stream else truth.finished_ns
    assert late_ns - truth.received_ns >= 0.3e9


def test_a_client_may_leave_during_a_stall(serve: Serve) -> None:
    with serve(faults=(Fault(kind=FaultKind.STALL, seconds=600, after_tokens=1),)) as server:
        with pytest.raises(httpx.ReadTimeout):
            server.client.post(CHAT, json=body(stream=True), timeout=0.3)
        (truth,) = server.truth(1)
    assert (truth.outcome, truth.output_tokens) == ("aborted", 1)


def test_faults_can_be_switched_while_it_runs(serve: Serve) -> None:
    with serve() as server:
        added = server.client.post("/testbed/faults", json={"kind": "500", "count": 3})
        assert added.json() == {"pending": 3}
        assert server.client.post(CHAT, json=body()).status_code == 500
        assert server.client.get("/testbed/faults").json() == {"pending": 2}
        assert server.client.delete("/testbed/faults").json() == {"pending": 0}
        assert server.client.post(CHAT, json=body()).status_code == 200
        assert server.client.post("/testbed/faults", json={"kind": "fire"}).status_code == 422
        assert server.client.post("/testbed/faults", content='{"kind": "500"}').status_code == 400


def test_a_refused_request_uses_up_no_fault(serve: Serve) -> None:
    with serve(faults=(Fault(kind=FaultKind.SERVER_ERROR),)) as server:
        assert server.client.post(CHAT, json=body(model="other")).status_code == 404
        assert server.client.post(CHAT, json=body()).status_code == 500


@pytest.mark.parametrize("given", ["a b", "x" * 65, "ä"])
def test_a_request_id_that_is_none_is_not_echoed(serve: Serve, given: str) -> None:
    with serve() as server:
        response = server.client.post(CHAT, json=body(), headers={"X-Request-Id": given.encode()})
    assert response.json()["id"] == f"chatcmpl-{response.headers['x-request-id']}"
    assert given not in response.headers["x-request-id"]
