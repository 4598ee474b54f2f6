"""Texts of the built-in questions: unique, of the stated length, recognised again."""

import math
import random
import re
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.workload import LANGUAGES, TASKS, Workload, estimated_tokens, recognise
from glm_locust.workload.prompts import MOMENTS, REPEATED, moment, question

seeds = st.integers(0, 2**63)
indices = st.integers(0, MOMENTS - 1)


def minute(seed, index):
    return round((moment(seed, index) - moment(seed, 0)) / timedelta(minutes=1)) % MOMENTS


@given(seeds, indices)
def test_minutes_are_a_bijection_of_the_index(seed, index):
    step = minute(seed, 1)
    assert math.gcd(step, MOMENTS) == 1
    assert minute(seed, index) == index * step % MOMENTS


def test_the_first_two_million_minutes_differ():
    assert MOMENTS >= 2_000_000
    minutes = np.arange(2_000_000, dtype=np.int64) * minute(20, 1) % MOMENTS
    assert len(np.unique(minutes)) == len(minutes)


@given(seeds, indices)
def test_the_repeated_prompt_has_a_minute_that_no_index_has(seed, index):
    assert moment(seed, index) < moment(seed, REPEATED)


@pytest.mark.parametrize("language", LANGUAGES)
@given(seed=seeds, index=indices, task=st.sampled_from(sorted(TASKS)), choice=st.integers())
def test_the_text_states_its_minute(language, seed, index, task, choice):
    when = moment(seed, index)
    text = question(task, language, when, random.Random(choice))
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if language == "zh":
        expected = [when.year, when.month, when.day, when.hour, *([when.minute] if when.minute else [])]
        assert ("点整" in text) == (when.minute == 0)
    else:
        expected = [when.day, when.year, when.hour, when.minute]
        assert f" {when:%B} " in text
    assert numbers == expected


@given(seed=seeds, index=indices, task=st.sampled_from(sorted(TASKS)), choice=st.integers())
@settings(max_examples=400)
def test_every_text_has_twenty_to_forty_tokens_and_is_recognised(seed, index, task, choice):
    for language in LANGUAGES:
        text = question(task, language, moment(seed, index), random.Random(choice))
        assert 20 <= estimated_tokens(text) <= 40, text
        assert recognise(text) == task, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_language_asked_for_is_the_only_one_used(language):
    workload = Workload(4, (language,), size=128, image_format="jpeg")
    for index in range(8):
        text = workload.prompt("ocr", index).text
        assert bool(re.search("[\u4e00-\u9fff]", text)) == (language == "zh")


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Describe this image", "describe"),
        ("请描述这张图片", "describe"),
        ("What does the text in the image say?", "ocr"),
        ("图中文字是什么", "ocr"),
        ("Predict the next data point of the line chart", "chart"),
        ("请预测折线图的下一个数据点", "chart"),
        ("Similarities and differences of the two images?", "compare"),
        ("比较这两张图片的异同", "compare"),
        ("What would you advise for losing weight?", "reason"),
        ("我想减肥,有什么建议", "reason"),
        ("Tell me a joke", None),
        ("", None),
    ],
)
def test_questions_in_other_words_are_recognised_by_keywords(text, task):
    assert recognise(text) == task


def test_templates_are_all_used():
    starts = {
        (task, language): {
            re.sub(r"\d", "", question(task, language, moment(1, index), random.Random(index)))[-12:]
            for index in range(60)
        }
        for task in TASKS
        for language in LANGUAGES
    }
    assert all(len(ends) >= 3 for ends in starts.values())
