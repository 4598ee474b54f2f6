"""What a simulated user asks: text and images, with what a right answer would hold."""

from dataclasses import dataclass
from typing import Protocol

from glm_locust.records import digest


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image file in memory."""

    data: bytes
    media_type: str
    """`image/png` or `image/jpeg`."""
    width: int
    height: int
    name: str
    """File name that an upload shows."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question."""

    task: str
    text: str
    images: tuple[Image, ...] = ()
    expected: str | None = None
    """What a right answer contains, compared without regard to case and white space; None: any."""
    max_tokens: int | None = None
    """How long the answer may be, where the path can say so; None: as the target says."""

    @property
    def prompt_id(self) -> str:
        """Joins records with a server's own log of the same question."""
        return digest(self.text)

    @property
    def image_pixels(self) -> int:
        """Pixels of all images together."""
        return sum(image.pixels for image in self.images)

    @property
    def image_bytes(self) -> int:
        """Size of all image files together."""
        return sum(len(image.data) for image in self.images)


class PromptSource(Protocol):
    """Where questions come from: the built-in workload or a user's data set."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it has questions for."""

    def prompt(self, task: str, index: int, turn: int | None = None) -> Prompt:
        """The question with this index; raises ConfigError for an unknown task.

        Questions of equal `turn` (the repeat of a plan) are alike in all that may be alike without
        being the same, so that paths can be compared pair by pair.
        """
