"""A line chart that follows a rule, so that its next point is known."""

import random
from dataclasses import dataclass

from PIL import Image as Pixels

from glm_locust.workload.drawing.canvas import Canvas, Colour
from glm_locust.workload.truth import Truth

_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 482, 96, 420
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TITLES = (
    "Visitors per month",
    "Bicycles sold",
    "Rainfall in mm",
    "Books borrowed",
    "Power used in kWh",
    "New members",
    "Coffee served in litres",
    "Trees planted",
)
_LINES: tuple[Colour, ...] = ((31, 110, 180), (200, 70, 40), (40, 130, 80), (120, 70, 160))
_GRID = (222, 224, 228)
_INK = (52, 56, 64)


@dataclass(frozen=True, slots=True)
class Chart:
    """Values of successive months, made by a rule."""

    title: str
    first_month: int
    values: tuple[int, ...]
    next_value: int
    rule: str
    colour: Colour

    @property
    def truth(self) -> Truth:
        """The next value and the rule behind it."""
        month = _MONTHS[(self.first_month + len(self.values)) % 12]
        return Truth(
            str(self.next_value),
            {
                "next_value": self.next_value,
                "next_month": month,
                "values": list(self.values),
                "rule": self.rule,
            },
        )

    def draw(self, size: int, stamp: str, rng: random.Random) -> Pixels.Image:
        """Paint it with its values; the place of the next point stays empty."""
        canvas = Canvas(size, (253, 253, 252))
        canvas.text(_LEFT - 44, 46, self.title, size=27, fill=_INK)
        step = _tick(max(self.values))
        top = -(-max(self.values) // step) * step
        for value in range(0, top + 1, step):
            y = _BOTTOM - value / top * (_BOTTOM - _TOP)
            canvas.line((_LEFT, y), (_RIGHT, y), width=1.2, fill=_GRID)
            canvas.text(_LEFT - 10, y, str(value), size=15, fill=(110, 114, 122), anchor="rm")
        slots = len(self.values) + 1
        points = [
            (
                _LEFT + (place + 0.5) * (_RIGHT - _LEFT) / slots,
                _BOTTOM - value / top * (_BOTTOM - _TOP),
            )
            for place, value in enumerate(self.values)
        ]
        for place in range(slots):
            x = _LEFT + (place + 0.5) * (_RIGHT - _LEFT) / slots
            canvas.text(
                x, _BOTTOM + 20, _MONTHS[(self.first_month + place) % 12], size=16, fill=_INK, anchor="mm"
            )
        canvas.line((_LEFT, _TOP - 8), (_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), width=2, fill=_INK)
        canvas.line(*points, width=4, fill=self.colour)
        for place, (x, y) in enumerate(points):
            canvas.circle(x, y, 7, self.colour)
            canvas.circle(x, y, 3, (255, 255, 255))
            aside, above = self._label_shift(place)
            canvas.text(x + aside, y - above, str(self.values[place]), size=17, fill=_INK, anchor="mm")
        canvas.text(_LEFT - 44, 482, f"Exported {stamp}", size=14, fill=(130, 134, 142))
        return canvas.finish(rng)

    def _label_shift(self, place: int) -> tuple[float, float]:
        """How far right of and above its point a label stands, so that the line does not cross it."""
        then = self.values[place + 1] if place + 1 < len(self.values) else self.next_value
        before = self.values[place - 1] if place else None
        value = self.values[place]
        if before is None:
            return (-6, 20) if then > value else (14, 17)
        if before < value < then:
            return -14, 17
        if before > value > then:
            return 14, 17
        return (0, 20) if before < value else (0, -20)


def compose(rng: random.Random) -> Chart:
    """Choose a rule and draw six to eight values and the one after them from it."""
    count = rng.randint(6, 8)
    start, step = rng.randint(12, 90), rng.randint(3, 24)
    kind = rng.choice(("rises", "falls", "doubles", "alternates", "accelerates"))
    if kind == "rises":
        values = [start + step * place for place in range(count + 1)]
        rule = f"rises by {step}"
    elif kind == "falls":
        values = [start + step * (count - place) for place in range(count + 1)]
        rule = f"falls by {step}"
    elif kind == "doubles":
        first = rng.randint(3, 9)
        values = [first * 2**place for place in range(count + 1)]
        rule = "doubles"
    elif kind == "alternates":
        low = rng.randint(2, step + 1)
        values = [start + low]
        for place in range(count):
            values.append(values[-1] + (step + low if place % 2 == 0 else -low))
        rule = f"rises by {step + low} and falls by {low} in turn"
    else:
        values = [start + step * place * (place + 1) // 2 for place in range(count + 1)]
        rule = f"rises by {step} more each time"
    return Chart(
        rng.choice(_TITLES), rng.randrange(12), tuple(values[:-1]), values[-1], rule, rng.choice(_LINES)
    )


def _tick(highest: int) -> int:
    """A round distance between four to eight grid lines."""
    return next(
        step
        for power in (1, 10, 100, 1000, 10_000, 100_000)
        for step in (power, 2 * power, 5 * power)
        if highest <= 7 * step
    )
