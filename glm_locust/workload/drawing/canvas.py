"""A canvas of 512 by 512 units that becomes an image of any size."""

import io
import random
from functools import lru_cache
from typing import Literal

from PIL import Image as Pixels
from PIL import ImageChops, ImageDraw, ImageFont

UNITS = 512
_SUPERSAMPLING = 2
"""Pillow draws hard edges; drawing twice as large and averaging makes them smooth."""

_GRAIN_AMPLITUDE = 4

Colour = tuple[int, int, int]
Point = tuple[float, float]
ImageFormat = Literal["png", "jpeg"]
MEDIA_TYPES: dict[ImageFormat, str] = {"png": "image/png", "jpeg": "image/jpeg"}


class Canvas:
    """Draws with coordinates in units, origin at the upper left."""

    def __init__(self, size: int, top: Colour, bottom: Colour | None = None) -> None:
        """`size` by `size` pixels of one colour, or blending from `top` to `bottom` at half height."""
        self._size = size
        self._scale = size * _SUPERSAMPLING / UNITS
        side = (size * _SUPERSAMPLING,) * 2
        if bottom is None or bottom == top:
            self._pixels = Pixels.new("RGB", side, top)
        else:
            # Three pixels blend from the first sixth to the middle and stay so: a sky above a horizon.
            column = Pixels.new("RGB", (1, 3), bottom)
            column.putpixel((0, 0), top)
            self._pixels = column.resize((1, side[1]), Pixels.Resampling.BILINEAR).resize(
                side, Pixels.Resampling.NEAREST
            )
        self._draw = ImageDraw.Draw(self._pixels)
        self._texts: list[tuple[float, float, str, float, Colour, str]] = []

    def rectangle(self, x: float, y: float, width: float, height: float, fill: Colour) -> None:
        """An upright rectangle from its upper left corner."""
        self._draw.rectangle(self._scaled((x, y), (x + width, y + height)), fill=fill)

    def panel(self, x: float, y: float, width: float, height: float, *, radius: float, fill: Colour) -> None:
        """A rectangle with round corners."""
        box = self._scaled((x, y), (x + width, y + height))
        self._draw.rounded_rectangle(box, radius * self._scale, fill=fill)

    def ellipse(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """An ellipse around its centre."""
        self._draw.ellipse(self._scaled((x - rx, y - ry), (x + rx, y + ry)), fill=fill)

    def circle(self, x: float, y: float, radius: float, fill: Colour) -> None:
        """A circle around its centre."""
        self.ellipse(x, y, radius, radius, fill)

    def slice(self, x: float, y: float, radius: float, *, start: float, stop: float, fill: Colour) -> None:
        """A slice of a circle between two angles in degrees, clockwise from the right."""
        box = self._scaled((x - radius, y - radius), (x + radius, y + radius))
        self._draw.pieslice(box, start, stop, fill=fill)

    def polygon(self, *points: Point, fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._scaled(*points), fill=fill)

    def line(self, *points: Point, width: float, fill: Colour) -> None:
        """A line with round joints."""
        pen = max(1, round(width * self._scale))
        self._draw.line(self._scaled(*points), fill=fill, width=pen, joint="curve")

    def text(self, x: float, y: float, text: str, *, size: float, fill: Colour, anchor: str = "lm") -> None:
        """One line of Latin text above all else; `anchor` as in Pillow, by default left and middle."""
        self._texts.append((x, y, text, size, fill, anchor))

    def text_width(self, text: str, size: float) -> float:
        """How wide that text will be, in units."""
        scale = self._size / UNITS
        return _font(max(1, round(size * scale))).getlength(text) / scale

    def finish(self, rng: random.Random, grain: tuple[float, float] | None = None) -> Pixels.Image:
        """The image; `grain` are the upper and lower edge of a band that gets a photo's grain."""
        image = self._pixels.reduce(_SUPERSAMPLING)
        if grain is not None:
            self._add_grain(image, grain, rng)
        # Fonts have smooth edges of their own, so text is drawn last and at its final size.
        draw, scale = ImageDraw.Draw(image), self._size / UNITS
        for x, y, text, size, fill, anchor in self._texts:
            font = _font(max(1, round(size * scale)))
            draw.text((x * scale, y * scale), text, fill=fill, font=font, anchor=anchor)
        return image

    def _add_grain(self, image: Pixels.Image, grain: tuple[float, float], rng: random.Random) -> None:
        edges = [round(edge * self._size / UNITS) for edge in grain]
        box = (0, edges[0], self._size, edges[1])
        x, y = rng.randrange(self._size), rng.randrange(self._size)
        band = _grain(2 * self._size).crop((x, y, x + self._size, y + edges[1] - edges[0]))
        # The grain is drawn from 0 to 2 * _GRAIN_AMPLITUDE; the offset centres it.
        image.paste(ImageChops.add(image.crop(box), band, 1, -_GRAIN_AMPLITUDE), box)

    def _scaled(self, *points: Point) -> list[Point]:
        return [(x * self._scale, y * self._scale) for x, y in points]


def encode(pixels: Pixels.Image, image_format: ImageFormat) -> bytes:
    """The image as a file; the same Pillow makes the same bytes."""
    file = io.BytesIO()
    if image_format == "png":
        # Level 1: each further level costs a load generator much time for few bytes.
        pixels.save(file, "PNG", compress_level=1)
    else:
        pixels.save(file, "JPEG", quality=88)
    return file.getvalue()


@lru_cache(maxsize=2)
def _grain(size: int) -> Pixels.Image:
    """A square of grain, the same in every process."""
    # Grains of two pixels: as lively to the eye, and half as dear to compress.
    side = size // 2
    levels = [value * 2 * _GRAIN_AMPLITUDE // 255 for value in range(256)]
    tile = Pixels.frombytes("L", (side, side), random.Random(0).randbytes(side * side)).point(levels)
    return Pixels.merge("RGB", [tile.resize((size, size), Pixels.Resampling.NEAREST)] * 3)


@lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
