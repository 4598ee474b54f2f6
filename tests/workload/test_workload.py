"""Workload: a pure function of seed, task and index."""

import hashlib
import io
import subprocess
import sys

import pytest
from PIL import Image as Pixels

from glm_locust.errors import ConfigError
from glm_locust.workload import TASKS, Prompt, Workload


def quick(seed: int = 11, **options) -> Workload:
    return Workload(seed, **({"size": 128, "image_format": "jpeg"} | options))


def fingerprint(prompt: Prompt) -> str:
    whole = hashlib.sha256(prompt.text.encode())
    for image in prompt.images:
        whole.update(image.name.encode() + image.data)
    return whole.hexdigest()


@pytest.mark.parametrize("image_format", ["png", "jpeg"])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_prompt_holds_the_images_that_it_says(task, image_format):
    prompt = Workload(7, image_format=image_format).prompt(task, 3)
    assert prompt.task == task
    assert prompt.expected is None
    assert len(prompt.images) == TASKS[task].images
    assert prompt.image_pixels == TASKS[task].images * 512 * 512
    for image in prompt.images:
        with Pixels.open(io.BytesIO(image.data)) as opened:
            opened.load()
            assert opened.size == (512, 512) == (image.width, image.height)
            assert opened.get_format_mimetype() == image.media_type
        assert image.name.endswith(f".{image_format}")
    assert len({image.name for image in prompt.images}) == len(prompt.images)


def test_another_process_makes_the_same_bytes():
    code = (
        "import hashlib; from glm_locust.workload import Workload\n"
        "w = Workload(5)\n"
        "for task in w.tasks:\n"
        "    p = w.prompt(task, 12345)\n"
        "    print(p.text.encode().hex(), *(hashlib.sha256(i.data).hexdigest() for i in p.images))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"}
    )
    workload = Workload(5)
    expected = []
    for task in workload.tasks:
        prompt = workload.prompt(task, 12345)
        hashes = [hashlib.sha256(image.data).hexdigest() for image in prompt.images]
        expected.append(" ".join([prompt.text.encode().hex(), *hashes]))
    assert run.stdout.splitlines() == expected


def test_no_two_prompts_share_a_text_an_image_or_an_id():
    workload = quick()
    prompts = [workload.prompt(task, index) for task in TASKS for index in range(40)]
    assert len({prompt.text for prompt in prompts}) == len(prompts)
    assert len({prompt.prompt_id for prompt in prompts}) == len(prompts)
    images = [image.data for prompt in prompts for image in prompt.images]
    assert len(set(images)) == len(images)


def test_another_seed_makes_other_prompts():
    one, two = quick(1), quick(2)
    for task in TASKS:
        assert fingerprint(one.prompt(task, 0)) != fingerprint(two.prompt(task, 0))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_stated_share_repeats_an_earlier_prompt_exactly(share):
    workload = quick(languages=("en",), repeat_share=share)
    seen: set[str] = set()
    repeats = 0
    for index in range(400):
        mark = fingerprint(workload.prompt("describe", index))
        repeats += mark in seen
        seen.add(mark)
    # The first of the repeated ones is not yet a repeat.
    assert repeats == 0 if share == 0 else abs(repeats / 400 - share) < 0.07


def test_repeats_leave_the_other_prompts_as_they_are():
    plain, repeating = quick(), quick(repeat_share=0.5)
    same = [fingerprint(plain.prompt("ocr", i)) == fingerprint(repeating.prompt("ocr", i)) for i in range(40)]
    assert 8 <= sum(same) <= 32


def test_truth_belongs_to_the_prompt():
    workload = quick()
    assert workload.truth("chart", 4) == quick().truth("chart", 4)
    assert len({workload.truth("chart", index).answer for index in range(40)}) > 20
    assert {"headline", "lines"} == workload.truth("ocr", 1).facts.keys()
    assert workload.truth("compare", 1).facts["differences"] >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": ()}, "languages: expected some of zh, en, got ()"),
        ({"languages": ("fr",)}, "languages: expected some of zh, en, got ('fr',)"),
        ({"repeat_share": 1.5}, "repeat_share: expected a number from 0 to 1, got 1.5"),
        ({"size": 64}, "size: expected 128 to 4096 pixels, got 64"),
        ({"image_format": "gif"}, "image_format: expected png or jpeg, got 'gif'"),
    ],
)
def test_what_cannot_be_made_is_named(options, message):
    with pytest.raises(ConfigError) as caught:
        Workload(1, **options)
    assert str(caught.value) == message


def test_unknown_task_is_named():
    with pytest.raises(ConfigError) as caught:
        quick().prompt("sing", 0)
    assert str(caught.value) == "unknown task 'sing': expected describe, ocr, chart, compare, reason"


def test_questions_of_one_turn_are_asked_in_the_same_language_and_still_differ():
    workload = quick()
    for turn in range(4):
        pair = [workload.prompt("ocr", index, turn) for index in (10 * turn, 10 * turn + 1, 10 * turn + 2)]
        assert len({prompt.text for prompt in pair}) == 3
        assert len({prompt.text.isascii() for prompt in pair}) == 1
    assert quick().prompt("ocr", 5, 0).text.isascii() != quick().prompt("ocr", 5, 1).text.isascii()
