"""The presets give what they were fitted to, and say so."""

import statistics

import pytest

from glm_locust.errors import ConfigError
from glm_locust.testbed.answers import compose
from glm_locust.testbed.engine import Engine, Sequence
from glm_locust.testbed.presets import (
    ARTICLE_API_S,
    PRESET_COLUMNS,
    PRESET_NOTE,
    PRESETS,
    EngineSpec,
    preset_named,
)
from glm_locust.testbed.tokens import IMAGE_FRAME_TOKENS, TEMPLATE_TOKENS, image_tokens
from glm_locust.workload import TASKS, Workload, estimated_tokens, recognise

QUESTIONS = 15


@pytest.mark.parametrize(
    ("size", "tokens", "why"),
    [
        ((512, 512), 324, "the workload's own images: 18 by 18 patches"),
        ((28, 28), 1, "one patch"),
        ((1, 1), 1, "never less than one"),
        ((1024, 512), 37 * 18, "each edge is rounded by itself"),
    ],
)
def test_image_tokens(size: tuple[int, int], tokens: int, why: str) -> None:
    assert image_tokens(*size) == tokens, why


def alone_s(spec: EngineSpec, task: str, index: int) -> tuple[float, float]:
    """TTFT and E2E latency of one of the workload's own questions on an idle engine."""
    prompt = Workload(seed=5).prompt(task, index)
    assert recognise(prompt.text) == task
    profile = spec.profile(task)
    images = sum(image_tokens(image.width, image.height) for image in prompt.images)
    text = TEMPLATE_TOKENS + IMAGE_FRAME_TOKENS * len(prompt.images) + estimated_tokens(prompt.text)
    answer = compose(prompt.text, task, profile, seed=0)
    engine = Engine(spec)
    engine.submit(Sequence(profile.prepare_s, images, text, len(answer)), 0.0)
    tokens = engine.advance(1000.0)
    return tokens[0].at_s, tokens[-1].at_s


@pytest.mark.parametrize("task", list(ARTICLE_API_S))
def test_one_user_alone_sees_the_published_api_column(task: str) -> None:
    seen = [alone_s(PRESETS["rtx3090"], task, index) for index in range(QUESTIONS)]
    ttft_s, e2e_s = ARTICLE_API_S[task]
    assert statistics.median(ttft for ttft, _ in seen) == pytest.approx(ttft_s, rel=0.03)
    assert statistics.median(e2e for _, e2e in seen) == pytest.approx(e2e_s, rel=0.03)


@pytest.mark.parametrize("task", list(ARTICLE_API_S))
def test_demo_is_the_same_eight_times_faster(task: str) -> None:
    slow, fast = (alone_s(PRESETS[name], task, 0) for name in ("rtx3090", "demo"))
    assert fast == pytest.approx(tuple(seconds / 8 for seconds in slow))


def test_the_presets_know_every_task() -> None:
    assert set(ARTICLE_API_S) == set(TASKS)
    for spec in PRESETS.values():
        assert spec.profile(None) == spec.profile("something else") == spec.other
        assert all(spec.profile(task).prepare_s > 0 for task in TASKS)


def test_an_unknown_preset_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'h100': expected demo, rtx3090"):
        preset_named("h100")


def test_the_note_says_what_is_simulated() -> None:
    assert "simulated" in PRESET_NOTE["en"]
    assert "模拟" in PRESET_NOTE["zh"]
    assert all("api" in column for column in PRESET_COLUMNS)
