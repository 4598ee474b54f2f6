"""Answers: readable, of the right length, and the same whenever the same is asked."""

import statistics
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.testbed.answers import compose, pieces
from glm_locust.testbed.phrases import PHRASES
from glm_locust.testbed.presets import LENGTH_SPREAD, PRESETS, TaskProfile
from glm_locust.workload import TASKS

SPEC = PRESETS["demo"]
QUESTIONS = {"en": "What is this? {}", "zh": "这是什么？{}"}


@pytest.mark.parametrize("language", list(PHRASES))
@pytest.mark.parametrize("task", [*TASKS, "other"])
def test_answers_are_whole_sentences_of_the_language_asked(language: str, task: str) -> None:
    profile = SPEC.profile(task)
    phrases = PHRASES[language][task]
    sentences = {phrases.opening, *phrases.middle, phrases.closing}
    for index in range(20):
        tokens = compose(QUESTIONS[language].format(index), task, profile, seed=1)
        assert abs(len(tokens) - profile.output_tokens) <= round(profile.output_tokens * LENGTH_SPREAD)
        assert all(tokens), "no token is empty"
        text = "".join(tokens)
        assert text.startswith(phrases.opening)
        assert text.endswith(phrases.closing)
        for sentence in sentences:
            text = text.replace(sentence, "")
        assert text == "", "nothing but whole sentences"


@pytest.mark.parametrize("language", list(PHRASES))
@pytest.mark.parametrize("task", list(TASKS))
def test_answers_to_the_same_task_hardly_differ_in_length(language: str, task: str) -> None:
    profile = SPEC.profile(task)
    lengths = [
        len("".join(compose(QUESTIONS[language].format(index), task, profile, seed=1))) for index in range(60)
    ]
    assert statistics.pstdev(lengths) / statistics.mean(lengths) < 0.08


def test_each_language_has_phrases_for_the_same_questions() -> None:
    kinds = {language: set(phrases) for language, phrases in PHRASES.items()}
    assert kinds["en"] == kinds["zh"] == {*TASKS, "other"}


def test_pieces_join_to_the_sentence() -> None:
    for phrases in (phrases for kinds in PHRASES.values() for phrases in kinds.values()):
        for sentence in (phrases.opening, *phrases.middle, phrases.closing):
            assert "".join(pieces(sentence)) == sentence


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(1, 400), st.integers(0, 3))
def test_any_question_gets_an_answer_of_the_length_asked(text: str, length: int, seed: int) -> None:
    tokens = compose(text, None, TaskProfile(prepare_s=0, output_tokens=length), seed)
    assert abs(len(tokens) - length) <= round(length * LENGTH_SPREAD)
    assert all(tokens)
    assert tokens == compose(text, None, TaskProfile(prepare_s=0, output_tokens=length), seed)


def test_the_seed_changes_the_answer_and_the_process_does_not() -> None:
    profile = SPEC.profile("reason")
    here = compose("What now?", "reason", profile, seed=1)
    assert here != compose("What now?", "reason", profile, seed=2)
    program = (
        "from glm_locust.testbed.answers import compose; from glm_locust.testbed.presets import PRESETS;"
        "print(''.join(compose('What now?', 'reason', PRESETS['demo'].profile('reason'), seed=1)))"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert there.stdout.rstrip("\n") == "".join(here)
