"""Workload: the questions of a run, as a pure function of seed, task and index."""

import random
from dataclasses import dataclass

from glm_locust.errors import ConfigError
from glm_locust.workload import images, prompts
from glm_locust.workload.drawing.canvas import MEDIA_TYPES, ImageFormat, encode
from glm_locust.workload.prompt import Image, Prompt
from glm_locust.workload.prompts import LANGUAGES, REPEATED, Language
from glm_locust.workload.tasks import TASKS
from glm_locust.workload.truth import Truth

IMAGE_SIZES = range(128, 4097)
"""Pixels along an edge; smaller images could not show what makes each unique."""

IMAGE_FORMATS: tuple[ImageFormat, ...] = tuple(MEDIA_TYPES)


@dataclass(frozen=True, slots=True)
class Workload:
    """Makes the built-in questions; the same arguments and Pillow make the same bytes anywhere.

    Texts and images of all indices differ (texts for the first `prompts.MOMENTS` indices), or else
    the caches of the server would answer. `repeat_share` of the indices ask one fixed question per
    task and language instead, to measure just these caches.
    """

    seed: int
    languages: tuple[Language, ...] = LANGUAGES
    repeat_share: float = 0.0
    size: int = 512
    """Width and height of images in pixels."""
    image_format: ImageFormat = "jpeg"
    """As cameras do; making a PNG takes a load generator twice as long."""

    def __post_init__(self) -> None:
        if not self.languages or not set(self.languages) <= set(LANGUAGES):
            raise ConfigError(f"languages: expected some of {', '.join(LANGUAGES)}, got {self.languages}")
        if not 0 <= self.repeat_share <= 1:
            raise ConfigError(f"repeat_share: expected a number from 0 to 1, got {self.repeat_share}")
        if self.size not in IMAGE_SIZES:
            raise ConfigError(f"size: expected {IMAGE_SIZES[0]} to {IMAGE_SIZES[-1]} pixels, got {self.size}")
        if self.image_format not in MEDIA_TYPES:
            raise ConfigError(f"image_format: expected {' or '.join(MEDIA_TYPES)}, got {self.image_format!r}")

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task ids that `prompt` knows."""
        return tuple(TASKS)

    def prompt(self, task: str, index: int, turn: int | None = None) -> Prompt:
        """The question with this index; takes about 10 ms an image, 20 ms for PNG.

        Questions of equal `turn` are asked in the same language: answers of different languages
        differ in length. Raises ConfigError for an unknown task.
        """
        source = self._source(task, index)
        if turn is None:
            language = self._random("language", index).choice(self.languages)
        else:
            language = self.languages[turn % len(self.languages)]
        when = prompts.moment(self.seed, source)
        text = prompts.question(task, language, when, self._random(f"text/{task}/{language}", source))
        pictures, _ = self._compose(task, source)
        stamp = f"{when:%Y-%m-%d %H:%M}"
        files = []
        for letter, picture in zip("ab", pictures, strict=False):
            pixels = picture.draw(self.size, stamp, self._random(f"pixels/{task}", source))
            suffix = f"-{letter}" if len(pictures) > 1 else ""
            files.append(
                Image(
                    encode(pixels, self.image_format),
                    MEDIA_TYPES[self.image_format],
                    self.size,
                    self.size,
                    f"{task}-{when:%Y%m%d-%H%M}{suffix}.{self.image_format}",
                )
            )
        return Prompt(task, text, tuple(files))

    def truth(self, task: str, index: int) -> Truth:
        """What the images of that question show; draws nothing."""
        return self._compose(task, self._source(task, index))[1]

    def _source(self, task: str, index: int) -> int:
        if task not in TASKS:
            raise ConfigError(f"unknown task {task!r}: expected {', '.join(TASKS)}")
        repeats = self.repeat_share and self._random("repeat", index).random() < self.repeat_share
        return REPEATED if repeats else index

    def _compose(self, task: str, source: int) -> tuple[tuple[images.Picture, ...], Truth]:
        return images.compose(task, self._random(f"image/{task}", source))

    def _random(self, purpose: str, index: int) -> random.Random:
        return random.Random(f"{self.seed}/{purpose}/{index}")
