"""A landscape with countable objects, and a second one that differs from it in known ways."""

import random
from collections import Counter
from dataclasses import dataclass, replace

from PIL import Image as Pixels

from glm_locust.workload.drawing.canvas import UNITS, Canvas, Colour
from glm_locust.workload.truth import Truth

COLOURS: dict[str, Colour] = {
    "red": (205, 52, 48),
    "yellow": (240, 190, 40),
    "blue": (44, 94, 190),
    "purple": (128, 62, 160),
    "orange": (236, 120, 32),
    "white": (245, 243, 238),
}
_SKIES: dict[str, tuple[Colour, Colour]] = {
    "day": ((96, 164, 226), (214, 234, 246)),
    "evening": ((92, 84, 150), (250, 186, 130)),
    "morning": ((150, 190, 214), (250, 226, 190)),
}
_GROUND_KINDS = {"sea": ("boat", "buoy"), "meadow": ("house", "tulip")}
_NAMES = {"boat": "sailing boat", "buoy": "buoy", "house": "house", "tulip": "tulip", "balloon": "balloon"}
_HORIZON = 236
_COLUMNS = 4
_MARGIN = 24
_GROUND_ROWS = (322, 424)
_SKY_ROW = 116
_ROW_SHIFTS = {_GROUND_ROWS[0]: -22, _GROUND_ROWS[1]: 22, _SKY_ROW: 0}


@dataclass(frozen=True, slots=True)
class Thing:
    """One object; x and y are its foot, or the centre of what flies."""

    kind: str
    colour: str
    x: float
    y: float
    scale: float

    @property
    def name(self) -> str:
        """Colour and kind in words."""
        return f"{self.colour} {_NAMES[self.kind]}"


@dataclass(frozen=True, slots=True)
class Landscape:
    """All that is seen, from back to front."""

    setting: str
    light: str
    sun_x: float
    things: tuple[Thing, ...]

    @property
    def truth(self) -> Truth:
        """How many of what are where."""
        counts = Counter(thing.name for thing in self.things)
        listed = ", ".join(f"{count} {_plural(name, count)}" for name, count in sorted(counts.items()))
        return Truth(
            f"A {self.setting} in the {self.light} with {listed}.".replace("the day", "daylight"),
            {"setting": self.setting, "light": self.light, "objects": len(self.things), **counts},
        )

    def draw(self, size: int, stamp: str, rng: random.Random) -> Pixels.Image:
        """Paint it, with a camera's date stamp in the corner."""
        top, low = _SKIES[self.light]
        canvas = Canvas(size, top, low)
        canvas.circle(self.sun_x, 70, 30, (255, 240, 190) if self.light != "evening" else (255, 214, 150))
        _ground(canvas, self.setting, self.light)
        for thing in self.things:
            _PAINTERS[thing.kind](canvas, thing, COLOURS[thing.colour])
        canvas.text(UNITS - 14, UNITS - 18, stamp, size=17, fill=(255, 176, 60), anchor="rm")
        return canvas.finish(rng, grain=(_HORIZON, UNITS))


def compose(rng: random.Random) -> Landscape:
    """Choose a landscape with two kinds of objects on the ground and perhaps balloons above."""
    setting = rng.choice(sorted(_GROUND_KINDS))
    kinds = _GROUND_KINDS[setting]
    cells = [(column, row) for row in _GROUND_ROWS for column in range(_COLUMNS)]
    cells = rng.sample(cells, rng.randint(4, 7))
    split = rng.randint(2, len(cells) - 1)
    colours = rng.sample(sorted(COLOURS), 3)
    things = [
        _placed(rng, kinds[place >= split], colours[place >= split], column, row)
        for place, (column, row) in enumerate(cells)
    ]
    things += [
        _placed(rng, "balloon", colours[2], column, _SKY_ROW)
        for column in rng.sample(range(_COLUMNS), rng.randint(0, 3))
    ]
    return Landscape(
        setting,
        rng.choice(sorted(_SKIES)),
        rng.uniform(50, UNITS - 50),
        tuple(sorted(things, key=lambda thing: thing.y)),
    )


def vary(rng: random.Random, scene: Landscape) -> tuple[Landscape, Truth]:
    """A second landscape that differs from `scene` in two to four ways, and which."""
    changes = ["missing", "colour", *rng.sample(["light", "colour again"], rng.randint(0, 2))]
    chosen = rng.sample(range(len(scene.things)), 3)
    things: list[Thing | None] = list(scene.things)
    light = scene.light
    found: list[str] = []
    for change in changes:
        if change == "light":
            light = rng.choice([name for name in sorted(_SKIES) if name != light])
            found.append(f"the light is {scene.light} in the first and {light} in the second")
            continue
        place = chosen.pop()
        thing = scene.things[place]
        if change == "missing":
            things[place] = None
            found.append(f"one {thing.name} is missing from the second")
        else:
            colour = rng.choice([name for name in sorted(COLOURS) if name != thing.colour])
            things[place] = replace(thing, colour=colour)
            found.append(f"one {thing.name} is {colour} in the second")
    second = replace(scene, light=light, things=tuple(thing for thing in things if thing))
    return second, Truth(
        f"{len(found)} differences: {'; '.join(found)}.",
        {"differences": len(found), "changes": found, "setting": scene.setting},
    )


def _placed(rng: random.Random, kind: str, colour: str, column: int, row: int) -> Thing:
    wide = (UNITS - 2 * _MARGIN) / _COLUMNS
    return Thing(
        kind,
        colour,
        # The rows stand in the gaps of each other, so that nothing hides behind another.
        _MARGIN + (column + 0.5) * wide + _ROW_SHIFTS[row] + rng.uniform(-8, 8),
        row + rng.uniform(-14, 14),
        # What is nearer is larger.
        rng.uniform(0.92, 1.08) * (0.8 if row == _GROUND_ROWS[0] else 1.0),
    )


def _plural(name: str, count: int) -> str:
    return name if count == 1 else f"{name}s"


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def _ground(canvas: Canvas, setting: str, light: str) -> None:
    dim = {"day": 1.0, "morning": 0.92, "evening": 0.72}[light]
    if setting == "sea":
        for step in range(8):
            height = (UNITS - _HORIZON) / 8
            colour = _shade((66 - 4 * step, 142 - 8 * step, 186 - 7 * step), dim)
            canvas.rectangle(0, _HORIZON + step * height, UNITS, height, colour)
        for row in range(9):
            y = _HORIZON + 14 + row * row * 3.2
            for wave in range(5):
                x = (row * 67 + wave * 113) % UNITS
                canvas.line((x, y), (x + 22 + 3 * row, y), width=1.4, fill=_shade((150, 202, 226), dim))
        return
    canvas.ellipse(110, _HORIZON + 46, 250, 92, _shade((112, 160, 96), dim))
    canvas.ellipse(420, _HORIZON + 50, 240, 84, _shade((98, 150, 90), dim))
    canvas.rectangle(0, _HORIZON + 14, UNITS, UNITS, _shade((124, 176, 84), dim))
    for row in range(12):
        y = _HORIZON + 30 + row * row * 2
        for blade in range(9):
            x = (row * 41 + blade * 61) % UNITS
            canvas.line((x, y), (x + 3, y - 6 - row / 2), width=1.6, fill=_shade((88, 140, 62), dim))


def _boat(canvas: Canvas, thing: Thing, colour: Colour) -> None:
    x, y, s = thing.x, thing.y, thing.scale
    canvas.polygon(
        (x - 46 * s, y - 16 * s),
        (x + 46 * s, y - 16 * s),
        (x + 30 * s, y + 6 * s),
        (x - 32 * s, y + 6 * s),
        fill=(96, 62, 40),
    )
    canvas.line((x - 2 * s, y - 14 * s), (x - 2 * s, y - 92 * s), width=3 * s, fill=(70, 52, 40))
    canvas.polygon((x + 2 * s, y - 90 * s), (x + 2 * s, y - 22 * s), (x + 40 * s, y - 22 * s), fill=colour)
    canvas.polygon(
        (x - 6 * s, y - 80 * s), (x - 6 * s, y - 22 * s), (x - 34 * s, y - 22 * s), fill=_shade(colour, 0.86)
    )


def _buoy(canvas: Canvas, thing: Thing, colour: Colour) -> None:
    x, y, s = thing.x, thing.y, thing.scale
    canvas.ellipse(x, y + 2 * s, 24 * s, 6 * s, (48, 96, 128))
    canvas.polygon(
        (x - 20 * s, y), (x + 20 * s, y), (x + 8 * s, y - 40 * s), (x - 8 * s, y - 40 * s), fill=colour
    )
    canvas.polygon(
        (x - 15.5 * s, y - 15 * s),
        (x + 15.5 * s, y - 15 * s),
        (x + 12 * s, y - 27 * s),
        (x - 12 * s, y - 27 * s),
        fill=_shade(colour, 0.72),
    )
    canvas.circle(x, y - 46 * s, 8 * s, (250, 238, 170))


def _house(canvas: Canvas, thing: Thing, colour: Colour) -> None:
    x, y, s = thing.x, thing.y, thing.scale
    canvas.rectangle(x - 38 * s, y - 54 * s, 76 * s, 54 * s, colour)
    canvas.polygon((x - 48 * s, y - 52 * s), (x, y - 92 * s), (x + 48 * s, y - 52 * s), fill=(110, 70, 58))
    canvas.rectangle(x - 9 * s, y - 32 * s, 18 * s, 32 * s, (84, 58, 44))
    for side in (-27, 13):
        canvas.rectangle(x + side * s, y - 42 * s, 14 * s, 14 * s, (250, 240, 190))


def _tulip(canvas: Canvas, thing: Thing, colour: Colour) -> None:
    x, y, s = thing.x, thing.y, thing.scale
    canvas.line((x, y), (x, y - 52 * s), width=4 * s, fill=(44, 110, 52))
    canvas.polygon((x, y - 4 * s), (x + 22 * s, y - 36 * s), (x + 6 * s, y - 18 * s), fill=(56, 128, 60))
    canvas.polygon((x, y - 4 * s), (x - 22 * s, y - 32 * s), (x - 6 * s, y - 16 * s), fill=(56, 128, 60))
    canvas.ellipse(x, y - 62 * s, 17 * s, 19 * s, colour)
    canvas.polygon(
        (x - 17 * s, y - 64 * s),
        (x - 14 * s, y - 88 * s),
        (x, y - 72 * s),
        (x + 14 * s, y - 88 * s),
        (x + 17 * s, y - 64 * s),
        fill=colour,
    )
    canvas.polygon(
        (x - 7 * s, y - 60 * s), (x, y - 84 * s), (x + 7 * s, y - 60 * s), fill=_shade(colour, 0.84)
    )


def _balloon(canvas: Canvas, thing: Thing, colour: Colour) -> None:
    x, y, s = thing.x, thing.y, thing.scale
    for side in (-9, 9):
        canvas.line(
            (x + side * 1.6 * s, y + 28 * s), (x + side * 0.8 * s, y + 56 * s), width=1.4, fill=(80, 64, 52)
        )
    canvas.polygon(
        (x - 33 * s, y + 12 * s),
        (x + 33 * s, y + 12 * s),
        (x + 10 * s, y + 42 * s),
        (x - 10 * s, y + 42 * s),
        fill=colour,
    )
    canvas.circle(x, y - 4 * s, 36 * s, colour)
    canvas.ellipse(x, y - 4 * s, 14 * s, 36 * s, _shade(colour, 0.82))
    canvas.panel(x - 9 * s, y + 54 * s, 18 * s, 14 * s, radius=3 * s, fill=(122, 84, 52))


_PAINTERS = {"boat": _boat, "buoy": _buoy, "house": _house, "tulip": _tulip, "balloon": _balloon}
