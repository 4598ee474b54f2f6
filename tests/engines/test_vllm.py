"""What only vLLM has: its own counts against ours, several tokens in one chunk."""

import statistics

import pytest

from glm_locust.records import Outcome, RequestRecord
from glm_locust.workload.prompt import Prompt
from tests.engines.conftest import QUIET, Served

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("served", ["vllm"], indirect=True, scope="session"),
]

TEXT = Prompt("text", "What is this?")
TTFT = "vllm:time_to_first_token_seconds"
OFFSET_S = 0.025
"""What may lie between vLLM's TTFT and ours, beside the steps until a token has text: HTTP both ways,
the chunk's way from the engine's process to the API server's, both on the cores that this test uses."""


def ttft_s(record: RequestRecord) -> float:
    assert record.first_token_ns is not None
    assert record.submitted_ns is not None
    return (record.first_token_ns - record.submitted_ns) / 1e9


def test_its_own_histogram_agrees_with_ours(served: Served) -> None:
    differences, steps = [], []
    for index in range(8):
        before = served.metrics()
        record, _ = served.ask(served.workload.prompt("describe", 100 + index))
        after = served.metrics()
        assert after[f"{TTFT}_count"] - before[f"{TTFT}_count"] == 1
        differences.append(ttft_s(record) - (after[f"{TTFT}_sum"] - before[f"{TTFT}_sum"]))
        steps.append(statistics.median(record.output_gaps_us) / 1e6)
    # The first token is `<think>`, which has no text of its own: ours is the time of the second.
    assert 0 < statistics.median(differences) < OFFSET_S + 2 * statistics.median(steps), differences


def test_it_counts_the_requests_that_we_count(served: Served) -> None:
    before = served.metrics()
    records = [served.ask(TEXT, max_tokens=limit, extra_body=QUIET)[0] for limit in (1, 5, 90) * 4]
    after = served.metrics()

    def grown(name: str) -> float:
        return after[f"vllm:{name}"] - before[f"vllm:{name}"]

    assert {record.outcome for record in records} == {Outcome.OK}
    assert grown("request_success_total") == grown("time_to_first_token_seconds_count") == len(records)
    assert grown("generation_tokens_total") == sum(record.output_tokens or 0 for record in records)
    assert grown("prompt_tokens_total") == sum(record.prompt_tokens or 0 for record in records)


def test_several_tokens_in_one_chunk(served: Served) -> None:
    record, text = served.ask(TEXT, extra_body=QUIET | {"stream_interval": 4})
    assert (text, record.output_tokens) == (served.reply.answer, served.reply.tokens(thinking=False))
    assert record.output_tokens is not None
    assert len(record.output_gaps_us) < record.output_tokens / 3


def test_speculative_decoding(served: Served) -> None:
    before = served.metrics()
    # Asked to go on past its end, the model repeats itself: what comes next can be guessed.
    record, text = served.ask(TEXT, max_tokens=120, extra_body=QUIET | {"ignore_eos": True, "temperature": 0})
    accepted = "vllm:spec_decode_num_accepted_tokens_total"
    assert served.metrics()[accepted] > before[accepted]
    assert (record.outcome, record.output_tokens) == (Outcome.OK, 120)
    assert text.count(served.reply.answer) > 2
    assert len(record.output_gaps_us) < 80, "guesses that were right come together"
