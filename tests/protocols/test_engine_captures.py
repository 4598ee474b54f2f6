"""Streams recorded from transformers and vLLM, whose model says one known sentence: it comes out of each."""

from pathlib import Path
from typing import NamedTuple

import pytest

from glm_locust.records import ErrorKind, Outcome, Output, TextKind, Usage
from tests.protocols.test_openai import ended, load, signals_of

CAPTURES = Path(__file__).parents[1] / "captures" / "engines"
ANSWER = "大 means large: a red circle lies left of one blue square ✓ and some green line runs below both."


class Fact(NamedTuple):
    """What a stream must come to."""

    text: str
    tokens: int | None
    thinks: bool = False
    error: ErrorKind | None = None


FACTS = {
    "transformers_bad_temperature": Fact("", None, error=ErrorKind.SERVER_ERROR),
    "transformers_length": Fact("", 9, thinks=True),
    "transformers_one_token": Fact("", 1),
    "transformers_quiet": Fact(ANSWER, 28),
    "transformers_thinking": Fact(ANSWER, 44, thinks=True),
    "vllm_bad_temperature": Fact("", None, error=ErrorKind.HTTP_STATUS),
    "vllm_interval": Fact(ANSWER, 28),
    "vllm_length": Fact("", 9, thinks=True),
    "vllm_one_token": Fact("", 1),
    "vllm_quiet": Fact(ANSWER, 28),
    "vllm_speculation": Fact((ANSWER + "<|endoftext|>") * 3 + "大 means large:", 90),
    "vllm_thinking": Fact(ANSWER, 44, thinks=True),
}


def test_every_capture_has_its_fact() -> None:
    assert sorted(path.stem for path in CAPTURES.glob("*.jsonl")) == sorted(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_what_an_engine_sent(name: str) -> None:
    answer, fact = load(CAPTURES / f"{name}.jsonl"), FACTS[name]
    signals = signals_of(answer.body, status=answer.status, content_type=answer.content_type)
    end = ended(signals)
    assert (end.text, end.kind) == (fact.text, fact.error)
    assert (end.outcome is Outcome.OK) == (fact.error is None)
    counts = [signal.output_tokens for signal in signals if isinstance(signal, Usage)]
    assert (counts[-1] if counts else None) == fact.tokens
    outputs = [signal for signal in signals if isinstance(signal, Output)]
    assert any(output.kind is TextKind.REASONING for output in outputs) == fact.thinks
    assert sum(output.chars for output in outputs if output.kind is TextKind.ANSWER) == len(fact.text)


def test_characters_are_whole_and_chunks_are_not_tokens() -> None:
    for name in ("transformers_quiet", "vllm_quiet", "vllm_interval", "vllm_speculation"):
        answer = load(CAPTURES / f"{name}.jsonl")
        told: list[str] = []
        signals_of(answer.body, content_type=answer.content_type, on_text=told.append)
        assert "\ufffd" not in "".join(told)
        assert len(told) < (FACTS[name].tokens or 0), name


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_think_tags_where_the_server_leaves_them_in(engine: str) -> None:
    answer = load(CAPTURES / f"{engine}_thinking.jsonl")
    text = ended(signals_of(answer.body, content_type=answer.content_type, think_tags=False)).text
    assert text.endswith(ANSWER)
    assert text.startswith("<think>") == (engine == "transformers"), "vLLM has a field of its own for them"
