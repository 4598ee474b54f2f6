"""Traces: what once came, from JSON lines and from the columns of the Azure LLM inference traces."""

import json
from pathlib import Path

import pytest

from glm_locust.arrivals import Replay
from glm_locust.errors import ConfigError
from glm_locust.protocols.openai import OpenAISession
from glm_locust.traces import TASK, Trace
from glm_locust.workload.prompt import Prompt

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,110,27
2023-11-16 18:17:13.9799610,1,500
"""


def trace(folder: Path, text: str, name: str = "trace.csv", speed: float = 1.0) -> Trace:
    (folder / name).write_text(text)
    return Trace.load(Replay(str(folder / name), speed))


def instants(trace: Trace) -> list[int]:
    return list(trace.timetable("any seed"))


def test_azure_columns(tmp_path: Path) -> None:
    found = trace(tmp_path, AZURE)
    assert instants(found) == pytest.approx([0, 52_000_000, 10_000_001_000], abs=300)
    assert found.tasks == (TASK,)
    asked = [found.asked(index) for index in range(3)]
    assert [prompt.max_tokens for prompt in asked if prompt] == [10, 27, 500]
    words = [len(prompt.text.split()) for prompt in asked if prompt]
    assert words == pytest.approx([4808, 110, 1], abs=6), "about a token a word"
    assert len({prompt.prompt_id for prompt in asked if prompt}) == 3
    assert found.asked(1) == found.asked(1)
    assert found.asked(1, 7) != found.asked(1, 8)


def test_twice_as_fast(tmp_path: Path) -> None:
    assert instants(trace(tmp_path, AZURE, speed=10))[-1] == pytest.approx(1_000_000_100, abs=300)


def test_json_lines_with_prompts(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 12.5, "prompt": "second", "task": "mine", "GeneratedTokens": 9},
        {"timestamp": "10", "prompt": "first"},
        {"timestamp": 13},
        {"TIMESTAMP": 14.0, "ContextTokens": 50, "GeneratedTokens": 5},
    ]
    found = trace(tmp_path, "\n".join(map(json.dumps, rows)), "trace.jsonl")
    assert instants(found) == [0, 2_500_000_000, 3_000_000_000, 4_000_000_000], "sorted, from the first on"
    assert found.asked(0) == Prompt("dataset", "first")
    assert found.asked(1) == Prompt("mine", "second", max_tokens=9)
    assert found.asked(2) is None, "one of the run's own questions"
    assert [found.task(index) for index in range(4)] == ["dataset", "mine", None, TASK]


def test_dates_know_their_zone(tmp_path: Path) -> None:
    rows = ["2024-05-01T12:00:00Z", "2024-05-01T14:00:01+02:00", "2024-05-01 12:00:01.5"]
    lines = "\n".join(json.dumps({"timestamp": row}) for row in rows)
    assert instants(trace(tmp_path, lines, "t.jsonl")) == [0, 1_000_000_000, 1_500_000_000]


def test_the_rate_is_a_mean_over_ten_seconds(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"timestamp": n / 4}) for n in range(400))
    found = trace(tmp_path, lines, "t.jsonl", speed=2)
    assert found.rate_at(25) == pytest.approx(8)
    assert found.rate_at(500) == 0


def test_the_length_of_an_answer_goes_into_the_request() -> None:
    (post,) = OpenAISession(model="m", max_tokens=64).ask(Prompt("t", "x", max_tokens=9))
    assert json.loads(post.body)["max_tokens"] == 9
    (post,) = OpenAISession(model="m", max_tokens=64).ask(Prompt("t", "x"))
    assert json.loads(post.body)["max_tokens"] == 64


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "expected the columns TIMESTAMP, ContextTokens, GeneratedTokens"),
        ("t.csv", "TIMESTAMP,ContextTokens\n", "the trace is empty"),
        ("t.csv", "when,ContextTokens\n1,2\n", "line 1: expected the columns TIMESTAMP"),
        ("t.csv", "TIMESTAMP,ContextTokens\n1,2\n2\n", "line 3: expected 2 columns, got 1"),
        ("t.csv", "TIMESTAMP,ContextTokens\nnoon,2\n", "line 2: timestamp: expected seconds or a date"),
        ("t.csv", "TIMESTAMP\n2024-13-01 00:00:00\n", "line 2: timestamp: no such date"),
        ("t.csv", "TIMESTAMP,ContextTokens\n1,-2\n", "line 2: ContextTokens: expected a whole number"),
        ("t.jsonl", '{"prompt": "x"}\n', "line 1: the key timestamp is missing"),
        (
            "t.jsonl",
            '{"timestamp": 1, "promt": "x"}\n',
            "line 1: unknown key 'promt', did you mean",
        ),
        ("t.jsonl", '{"timestamp": true}\n', "line 1: timestamp: expected seconds"),
        ("t.jsonl", "{\n", "line 1: not valid JSON"),
        ("t.jsonl", '{"timestamp": 1, "prompt": "x", "images": ["no.png"]}\n', "line 1: image no.png"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trace(tmp_path, text, name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv: cannot read the trace"):
        Trace.load(Replay(str(tmp_path / "nowhere.csv")))
