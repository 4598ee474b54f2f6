"""The images of the built-in tasks, and what they are known to show."""

import random
from typing import Protocol

from PIL import Image as Pixels

from glm_locust.workload.drawing import chart, landscape, meal, notice
from glm_locust.workload.truth import Truth


class Picture(Protocol):
    """Something composed that can be drawn."""

    def draw(self, size: int, stamp: str, rng: random.Random) -> Pixels.Image:
        """Draw it `size` pixels wide and high; `stamp` is a date that is written into it."""


def compose(task: str, rng: random.Random) -> tuple[tuple[Picture, ...], Truth]:
    """Choose what the images of one question show."""
    match task:
        case "describe":
            scene = landscape.compose(rng)
            return (scene,), scene.truth
        case "ocr":
            sign = notice.compose(rng)
            return (sign,), sign.truth
        case "chart":
            line = chart.compose(rng)
            return (line,), line.truth
        case "compare":
            first = landscape.compose(rng)
            second, differences = landscape.vary(rng, first)
            return (first, second), differences
        case "reason":
            plate = meal.compose(rng)
            return (plate,), plate.truth
    raise ValueError(f"no images for task {task!r}")
