"""A user's own questions from a JSONL file, one a line.

    {"prompt": "What is on the label?", "images": ["a.png"], "expected": "LOT 42", "task": "labels"}

Only `prompt` is needed. Image paths are relative to the file; `task` groups questions in tables.
"""

import difflib
import hashlib
import io
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image as Pixels
from PIL import UnidentifiedImageError

from glm_locust.errors import ConfigError
from glm_locust.workload.prompt import Image, Prompt

DEFAULT_TASK = "dataset"
MAX_IMAGE_BYTES = 20 * 2**20
MAX_IMAGE_PIXELS = 64_000_000
MAX_TOTAL_BYTES = 2**30
"""All images are kept in memory, so that no disk is read while requests are timed."""

_KEYS = ("prompt", "images", "expected", "task")
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True)
class DataSet:
    """Questions in an order drawn from a seed, and from the first again when all were asked."""

    path: str
    seed: int
    digest: str
    """Of the file and its images: equal on two machines means equal questions."""
    questions: dict[str, tuple[Prompt, ...]]
    """By task, in the file's order."""

    @classmethod
    def load(cls, path: str | Path, seed: int = 0) -> "DataSet":
        """Read and check the whole file and all images; raises ConfigError naming file and line."""
        path = Path(path)
        questions: dict[str, list[Prompt]] = {}
        digest = hashlib.sha256()
        images = Images(path.parent)
        for number, line in lines_of(path):
            try:
                prompt = question(json_row(line), images)
            except ValueError as error:
                raise ConfigError(f"{path}, line {number}: {error}") from None
            questions.setdefault(prompt.task, []).append(prompt)
            digest.update(line)
            for image in prompt.images:
                digest.update(image.data)
        if not questions:
            raise ConfigError(f"{path}: expected at least one question, the file is empty")
        return cls(
            str(path), seed, digest.hexdigest()[:16], {task: tuple(rows) for task, rows in questions.items()}
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that occur, in the file's order."""
        return tuple(self.questions)

    def prompt(self, task: str, index: int, turn: int | None = None) -> Prompt:  # noqa: ARG002 - a row is as it is
        """The question with this index; each round through the task's questions is shuffled anew.

        Raises ConfigError for an unknown task.
        """
        rows = self.questions.get(task)
        if rows is None:
            raise ConfigError(f"{self.path}: no task {task!r}, expected {', '.join(self.tasks)}")
        lap, place = divmod(index, len(rows))
        return rows[_order(self.seed, task, lap, len(rows))[place]]


class Images:
    """Reads each image once, however many lines name it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Image] = {}
        self._total = 0

    def read(self, name: str) -> Image:
        """The image; raises ValueError."""
        if name not in self._read:
            image = _image(self._folder / name, name)
            self._total += len(image.data)
            if self._total > MAX_TOTAL_BYTES:
                raise ValueError(f"expected at most {MAX_TOTAL_BYTES >> 20} MiB of images in all")
            self._read[name] = image
        return self._read[name]


def load_image(path: str | Path) -> Image:
    """One image file, PNG or JPEG; raises ConfigError where it is none."""
    try:
        return _image(Path(path).expanduser(), str(path))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def lines_of(path: Path, what: str = "the data set") -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, numbered from 1; raises ConfigError where the file cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read {what}: {error.strerror}") from None
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line.strip()


def json_row(line: bytes) -> dict[str, Any]:
    """One line as a JSON object; raises ValueError."""
    try:
        row: Any = json.loads(line.decode())
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("not valid JSON: nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError(f"expected a JSON object with the key prompt, got {_kind(row)}")
    return row


def question(row: dict[str, Any], images: Images) -> Prompt:
    """The question that a row is; raises ValueError for what is wrong with it."""
    for key in row:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected {', '.join(_KEYS)}"
            raise ValueError(f"unknown key {key!r}, {hint}")
    if "prompt" not in row:
        raise ValueError("the key prompt is missing")
    task = _text(row, "task") or DEFAULT_TASK
    if not _TASK.fullmatch(task):
        raise ValueError(f"task: expected up to 40 letters, digits, '_', '.' or '-', got {task!r}")
    names = row.get("images")
    if names is None:
        names = []
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("images: expected a list of file names")
    return Prompt(
        task, _text(row, "prompt") or "", tuple(images.read(name) for name in names), _text(row, "expected")
    )


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None and key != "prompt":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{key}: expected a text, got {_kind(value)}")
    if not value.strip():
        raise ValueError(f"{key}: expected a text, got an empty one")
    return value


def _image(path: Path, name: str) -> Image:
    try:
        size, data = path.stat().st_size, b""
        if size <= MAX_IMAGE_BYTES:
            data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"image {name}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"image {name!r}: not a file name: {error}") from None
    if size > MAX_IMAGE_BYTES:
        raise ValueError(f"image {name}: expected at most {MAX_IMAGE_BYTES >> 20} MiB")
    format_, width, height = _decoded(data, name)
    return Image(data, _MEDIA_TYPES[format_], width, height, path.name)


def _decoded(data: bytes, name: str) -> tuple[str, int, int]:
    """Format, width and height of an image that decodes to its end."""
    too_large = f"image {name}: expected at most {MAX_IMAGE_PIXELS // 1_000_000} million pixels"
    try:
        with Pixels.open(io.BytesIO(data)) as opened:
            format_, (width, height) = opened.format or "", opened.size
            if format_ in _MEDIA_TYPES and width * height <= MAX_IMAGE_PIXELS:
                opened.load()
    except UnidentifiedImageError:
        raise ValueError(f"image {name}: expected PNG or JPEG, this is no image") from None
    except Pixels.DecompressionBombError:
        raise ValueError(too_large) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"image {name}: the file is damaged: {error}") from None
    if format_ not in _MEDIA_TYPES:
        raise ValueError(f"image {name}: expected PNG or JPEG, got {format_}")
    if width * height > MAX_IMAGE_PIXELS:
        raise ValueError(too_large)
    return format_, width, height


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


@lru_cache(maxsize=32)
def _order(seed: int, task: str, lap: int, count: int) -> tuple[int, ...]:
    return tuple(random.Random(f"{seed}/{task}/{lap}").sample(range(count), count))
