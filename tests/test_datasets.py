"""A user's own questions: read whole, checked whole, every mistake with its line."""

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pixels

from glm_locust.datasets import DEFAULT_TASK, MAX_IMAGE_BYTES, DataSet
from glm_locust.errors import ConfigError


@pytest.fixture
def folder(tmp_path):
    Pixels.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    Pixels.new("RGB", (64, 48), "blue").save(tmp_path / "b.jpg")
    Pixels.new("P", (8, 8)).save(tmp_path / "c.gif")
    whole = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    damaged = bytearray((tmp_path / "a.png").read_bytes())
    damaged[45] ^= 0xFF
    (tmp_path / "bad.png").write_bytes(damaged)
    (tmp_path / "text.png").write_text("no image at all")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    Pixels.new("1", (9000, 8000)).save(tmp_path / "wide.png")
    return tmp_path


def written(folder, *rows, name="set.jsonl"):
    lines = [row if isinstance(row, str | bytes) else json.dumps(row) for row in rows]
    data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    (folder / name).write_bytes(data)
    return folder / name


def test_a_full_line_and_a_bare_one(folder):
    data = DataSet.load(
        written(
            folder,
            {"prompt": "Was ist das?", "images": ["a.png", "b.jpg"], "expected": "rot", "task": "farben"},
            {"prompt": "你好"},
        )
    )
    assert data.tasks == ("farben", DEFAULT_TASK)
    full, bare = data.prompt("farben", 0), data.prompt(DEFAULT_TASK, 7)
    assert (full.text, full.expected, full.task) == ("Was ist das?", "rot", "farben")
    assert [(i.name, i.media_type, i.width, i.height) for i in full.images] == [
        ("a.png", "image/png", 40, 30),
        ("b.jpg", "image/jpeg", 64, 48),
    ]
    assert full.images[0].data == (folder / "a.png").read_bytes()
    assert (bare.text, bare.expected, bare.images) == ("你好", None, ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": "x"', "not valid JSON: Expecting ',' delimiter at column 15"),
        ("[" * 100_000, "not valid JSON: nested too deeply"),
        (b'{"prompt": "\xff"}', "expected UTF-8 text"),
        ('"hello"', "expected a JSON object with the key prompt, got a text"),
        ("[1]", "expected a JSON object with the key prompt, got a list"),
        ({}, "the key prompt is missing"),
        ({"prompt": 3}, "prompt: expected a text, got a number"),
        ({"prompt": None}, "prompt: expected a text, got null"),
        ({"prompt": "  "}, "prompt: expected a text, got an empty one"),
        ({"prompt": "x", "expected": ["y"]}, "expected: expected a text, got a list"),
        ({"prompt": "x", "expected": ""}, "expected: expected a text, got an empty one"),
        ({"prompt": "x", "task": True}, "task: expected a text, got true or false"),
        (
            {"prompt": "x", "task": "a b"},
            "task: expected up to 40 letters, digits, '_', '.' or '-', got 'a b'",
        ),
        ({"prompt": "x", "images": "a.png"}, "images: expected a list of file names"),
        ({"prompt": "x", "images": [1]}, "images: expected a list of file names"),
        ({"prompt": "x", "image": ["a.png"]}, "unknown key 'image', did you mean 'images'?"),
        ({"prompt": "x", "zzz": 1}, "unknown key 'zzz', expected prompt, images, expected, task"),
        ({"prompt": "x", "images": ["no.png"]}, "image no.png: No such file or directory"),
        ({"prompt": "x", "images": ["sub"]}, "image sub: Is a directory"),
        ({"prompt": "x", "images": ["a\0"]}, "image 'a\\x00': not a file name: embedded null byte"),
        ({"prompt": "x", "images": ["c.gif"]}, "image c.gif: expected PNG or JPEG, got GIF"),
        ({"prompt": "x", "images": ["text.png"]}, "image text.png: expected PNG or JPEG, this is no image"),
        ({"prompt": "x", "images": ["empty.png"]}, "image empty.png: expected PNG or JPEG, this is no image"),
        ({"prompt": "x", "images": ["cut.jpg"]}, "image cut.jpg: the file is damaged: "),
        ({"prompt": "x", "images": ["bad.png"]}, "image bad.png: the file is damaged: "),
        ({"prompt": "x", "images": ["huge.png"]}, "image huge.png: expected at most 20 MiB"),
        ({"prompt": "x", "images": ["wide.png"]}, "image wide.png: expected at most 64 million pixels"),
    ],
)
def test_a_bad_line_is_named_with_file_and_number(folder, line, message):
    path = written(folder, {"prompt": "good", "images": ["a.png"]}, "", line, {"prompt": "good"})
    with pytest.raises(ConfigError) as caught:
        DataSet.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}, line 3: {message}")
    assert "\n" not in text
    if not message.endswith(": "):
        assert text.endswith(message)


def test_a_file_without_questions_is_an_error(folder):
    path = written(folder, "", "   ", "")
    with pytest.raises(ConfigError, match="expected at least one question, the file is empty"):
        DataSet.load(path)


def test_a_missing_file_is_an_error(folder):
    with pytest.raises(ConfigError, match=r"none\.jsonl: cannot read the data set: No such file"):
        DataSet.load(folder / "none.jsonl")


def test_windows_line_ends_and_a_byte_order_mark_are_no_mistake(folder):
    path = written(folder, b'\xef\xbb\xbf{"prompt": "one"}\r\n{"prompt": "two"}\r\n')
    assert len(DataSet.load(path).questions[DEFAULT_TASK]) == 2


@given(st.integers(1, 12), st.integers(0, 2**32), st.integers(0, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_each_lap_asks_every_question_once(tmp_path, count, seed, lap):
    path = written(tmp_path, *({"prompt": f"question {n}"} for n in range(count)))
    data = DataSet.load(path, seed)
    asked = [data.prompt(DEFAULT_TASK, lap * count + place).text for place in range(count)]
    assert Counter(asked) == Counter(f"question {n}" for n in range(count))
    assert asked == [
        DataSet.load(path, seed).prompt(DEFAULT_TASK, lap * count + i).text for i in range(count)
    ]


def test_laps_and_seeds_differ_in_order(tmp_path):
    path = written(tmp_path, *({"prompt": f"question {n}"} for n in range(30)))
    one, two = DataSet.load(path, 1), DataSet.load(path, 2)
    orders = {
        tuple(data.prompt(DEFAULT_TASK, start + n).text for n in range(30))
        for data in (one, two)
        for start in (0, 30)
    }
    assert len(orders) == 4


def test_digest_tells_whether_two_machines_have_the_same_questions(folder):
    path = written(folder, {"prompt": "x", "images": ["a.png"]})
    before = DataSet.load(path).digest
    assert DataSet.load(path, seed=9).digest == before
    Pixels.new("RGB", (40, 30), "green").save(folder / "a.png")
    assert DataSet.load(path).digest != before


def test_unknown_task_is_named(folder):
    data = DataSet.load(written(folder, {"prompt": "x", "task": "one"}, {"prompt": "y", "task": "two"}))
    with pytest.raises(ConfigError, match=r"set\.jsonl: no task 'ocr', expected one, two"):
        data.prompt("ocr", 0)
