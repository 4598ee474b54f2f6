"""A plate of food and a drink, seen from above."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image as Pixels

from glm_locust.workload.drawing.canvas import UNITS, Canvas, Colour
from glm_locust.workload.truth import Truth

_DRINKS: dict[str, Colour] = {
    "cola": (72, 34, 20),
    "orange juice": (244, 160, 40),
    "water": (206, 228, 238),
    "milk": (248, 246, 240),
    "green tea": (176, 186, 92),
}
_TABLES: tuple[Colour, ...] = ((176, 128, 84), (142, 98, 66), (196, 160, 120), (120, 92, 78))
_PLATE = (196, 292, 156)
"""Centre and radius."""
_RICH = ("French fries", "sausage", "fried egg", "steak", "pizza slice")
_LIGHT = ("broccoli", "tomato slices", "rice", "lettuce", "carrot sticks", "peas", "salmon")


@dataclass(frozen=True, slots=True)
class Meal:
    """What is on the plate, clockwise, and in the glass."""

    foods: tuple[str, ...]
    drink: str
    table: Colour
    turn: float

    @property
    def truth(self) -> Truth:
        """Everything that can be eaten or drunk."""
        return Truth(
            f"A plate with {', '.join(self.foods)}, and a glass of {self.drink}.",
            {"foods": list(self.foods), "drink": self.drink},
        )

    def draw(self, size: int, stamp: str, rng: random.Random) -> Pixels.Image:
        """Paint it on a wooden table."""
        canvas = Canvas(size, self.table)
        for board in range(1, 6):
            canvas.rectangle(0, board * 86, UNITS, 2.5, _shade(self.table, 0.8))
        for grain in range(26):
            y = grain * 20 + rng.uniform(0, 12)
            x = rng.uniform(-60, 420)
            canvas.line(
                (x, y),
                (x + rng.uniform(60, 190), y + rng.uniform(-2, 2)),
                width=1.3,
                fill=_shade(self.table, 0.9),
            )
        _cutlery(canvas)
        x, y, radius = _PLATE
        canvas.circle(x + 6, y + 9, radius, _shade(self.table, 0.66))
        canvas.circle(x, y, radius, (246, 246, 244))
        canvas.circle(x, y, radius * 0.76, (228, 230, 230))
        canvas.circle(x, y, radius * 0.74, (250, 250, 249))
        for place, food in enumerate(self.foods):
            angle = self.turn + place * math.tau / len(self.foods)
            far = radius * 0.44
            _FOODS[food](canvas, x + far * math.cos(angle), y + far * math.sin(angle), rng)
        _glass(canvas, _DRINKS[self.drink])
        canvas.text(UNITS - 14, UNITS - 18, stamp, size=17, fill=(255, 206, 110), anchor="rm")
        return canvas.finish(rng, grain=(0, 236))


def compose(rng: random.Random) -> Meal:
    """Choose one or two rich and two light foods, so that advice can be given."""
    foods = rng.sample(_RICH, rng.randint(1, 2)) + rng.sample(_LIGHT, 2)
    rng.shuffle(foods)
    return Meal(tuple(foods), rng.choice(sorted(_DRINKS)), rng.choice(_TABLES), rng.uniform(0, math.tau))


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def _cutlery(canvas: Canvas) -> None:
    steel, dark = (208, 212, 216), (168, 172, 178)
    canvas.panel(390, 300, 13, 176, radius=6, fill=dark)
    canvas.panel(388, 296, 13, 176, radius=6, fill=steel)
    canvas.polygon((388, 180), (398, 172), (406, 210), (404, 304), (388, 304), fill=steel)
    canvas.panel(446, 300, 11, 176, radius=5, fill=dark)
    canvas.panel(444, 296, 11, 176, radius=5, fill=steel)
    canvas.panel(434, 236, 31, 40, radius=12, fill=steel)
    for tine in range(4):
        canvas.panel(434 + tine * 8.6, 184, 5, 66, radius=2, fill=steel)
    canvas.rectangle(446, 268, 7, 36, steel)


def _glass(canvas: Canvas, drink: Colour) -> None:
    canvas.circle(432, 92, 62, (92, 70, 54))
    canvas.circle(428, 86, 62, (232, 240, 244))
    canvas.circle(428, 86, 54, _shade(drink, 0.9))
    canvas.circle(428, 86, 49, drink)
    canvas.ellipse(410, 66, 16, 10, _shade(drink, 1.25))


def _fries(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for _ in range(14):
        angle, dx, dy = rng.uniform(-0.6, 0.6), rng.uniform(-24, 24), rng.uniform(-26, 26)
        cos, sin = 26 * math.cos(angle), 26 * math.sin(angle)
        ends = (x + dx - cos, y + dy - sin), (x + dx + cos, y + dy + sin)
        canvas.line(*((a, b + 2) for a, b in ends), width=8, fill=(196, 142, 40))
        canvas.line(*ends, width=7, fill=(246, 204, 84))


def _sausage(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    tilt = rng.uniform(-0.3, 0.3)
    curve = [(x + dx, y + dx * tilt - 12 * math.cos(dx / 30)) for dx in range(-44, 45, 8)]
    for colour, width in (((104, 44, 26), 30), ((158, 74, 42), 26)):
        canvas.line(*curve, width=width, fill=colour)
        for end in (curve[0], curve[-1]):
            canvas.circle(*end, width / 2, colour)
    for dx in (-24, 0, 24):
        canvas.line(
            (x + dx - 4, y + dx * tilt - 18), (x + dx + 4, y + dx * tilt - 2), width=3, fill=(96, 40, 24)
        )


def _egg(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for colour, grow in (((232, 216, 190), 3), ((255, 255, 252), 0)):
        for angle in (0.4, 1.9, 3.3, 4.8):
            canvas.circle(x + 14 * math.cos(angle), y + 12 * math.sin(angle), 29 + grow, colour)
    canvas.circle(x + rng.uniform(-4, 4), y, 17, (240, 160, 24))
    canvas.circle(x - 4, y - 5, 7, (250, 196, 72))


def _steak(canvas: Canvas, x: float, y: float, _: random.Random) -> None:
    for colour, grow in (((70, 38, 26), 4), ((122, 66, 44), 0)):
        canvas.ellipse(x - 12, y, 36 + grow, 32 + grow, colour)
        canvas.ellipse(x + 22, y + 6, 28 + grow, 22 + grow, colour)
    for dx in (-30, -12, 6, 24):
        canvas.line((x + dx - 6, y + 18), (x + dx + 10, y - 16), width=4, fill=(72, 36, 24))


def _pizza(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    canvas.slice(x - 42, y, 92, start=-28, stop=28, fill=(190, 126, 62))
    canvas.slice(x - 42, y, 80, start=-28, stop=28, fill=(246, 206, 96))
    for dx, dy in ((0, -4), (18, 12), (22, -18)):
        canvas.circle(x + dx + rng.uniform(-2, 2), y + dy, 9, (190, 50, 36))
        canvas.circle(x + dx, y + dy - 1, 6, (206, 72, 52))


def _broccoli(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for dx, dy in ((-22, -6), (20, -10), (0, 18)):
        canvas.panel(x + dx - 6, y + dy, 12, 24, radius=5, fill=(164, 196, 108))
        for angle in range(6):
            green = rng.choice(((46, 120, 44), (60, 138, 52), (38, 104, 40)))
            canvas.circle(x + dx + 12 * math.cos(angle), y + dy - 6 + 9 * math.sin(angle), 11, green)
        canvas.circle(x + dx, y + dy - 7, 10, (74, 152, 60))


def _tomato(canvas: Canvas, x: float, y: float, _: random.Random) -> None:
    for dx, dy in ((-24, 10), (2, -18), (26, 12)):
        canvas.circle(x + dx, y + dy, 24, (176, 34, 28))
        canvas.circle(x + dx, y + dy, 21, (222, 62, 46))
        for turn in range(5):
            angle = turn * math.tau / 5
            seed = (x + dx + 12 * math.cos(angle), y + dy + 12 * math.sin(angle))
            canvas.circle(*seed, 5, (246, 150, 96))


def _rice(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    canvas.circle(x, y + 3, 42, (214, 210, 200))
    canvas.circle(x, y, 41, (243, 240, 230))
    for _ in range(56):
        angle, far = rng.uniform(0, math.tau), 38 * math.sqrt(rng.random())
        gx, gy, tilt = x + far * math.cos(angle), y + far * math.sin(angle), rng.uniform(0, math.pi)
        ends = (gx, gy), (gx + 7 * math.cos(tilt), gy + 7 * math.sin(tilt))
        canvas.line(*ends, width=2.6, fill=rng.choice(((255, 255, 250), (220, 214, 200))))


def _lettuce(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for ring, green in ((30, (98, 160, 56)), (18, (134, 190, 76)), (6, (176, 214, 110))):
        for turn in range(9):
            angle = turn * math.tau / 9 + ring
            size = ring * 0.4 + rng.uniform(6, 9)
            canvas.circle(x + ring * math.cos(angle), y + ring * math.sin(angle), size, green)


def _carrots(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for stick in range(7):
        dx, lean = -34 + stick * 11, rng.uniform(-6, 6)
        canvas.line((x + dx - lean + 2, y - 30), (x + dx + lean + 2, y + 32), width=10, fill=(188, 92, 20))
        canvas.line((x + dx - lean, y - 32), (x + dx + lean, y + 30), width=9, fill=(240, 132, 40))


def _peas(canvas: Canvas, x: float, y: float, rng: random.Random) -> None:
    for pea in range(34):
        far, angle = 6.4 * math.sqrt(pea), pea * 2.4
        px, py = x + far * math.cos(angle), y + far * math.sin(angle) + rng.uniform(-1, 1)
        canvas.circle(px, py + 1.5, 7.4, (66, 120, 40))
        canvas.circle(px, py, 6.6, (122, 182, 70))
        canvas.circle(px - 2, py - 2, 2, (180, 220, 130))


def _salmon(canvas: Canvas, x: float, y: float, _: random.Random) -> None:
    canvas.panel(x - 44, y - 26, 90, 58, radius=24, fill=(196, 104, 76))
    canvas.panel(x - 44, y - 29, 88, 56, radius=24, fill=(244, 150, 116))
    for dx in range(-28, 34, 15):
        canvas.line(
            (x + dx - 5, y - 24), (x + dx + 5, y), (x + dx - 5, y + 22), width=2.6, fill=(252, 198, 172)
        )


_FOODS: dict[str, Callable[[Canvas, float, float, random.Random], None]] = {
    "French fries": _fries,
    "sausage": _sausage,
    "fried egg": _egg,
    "steak": _steak,
    "pizza slice": _pizza,
    "broccoli": _broccoli,
    "tomato slices": _tomato,
    "rice": _rice,
    "lettuce": _lettuce,
    "carrot sticks": _carrots,
    "peas": _peas,
    "salmon": _salmon,
}
