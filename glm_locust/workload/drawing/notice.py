"""A notice on a wall whose text is known."""

import random
from dataclasses import dataclass

from PIL import Image as Pixels

from glm_locust.workload.drawing.canvas import UNITS, Canvas, Colour
from glm_locust.workload.truth import Truth

_PAPERS: tuple[tuple[Colour, Colour, Colour], ...] = (
    # wall, band, ink of the headline
    ((186, 172, 152), (36, 84, 130), (255, 255, 255)),
    ((160, 176, 170), (150, 44, 40), (255, 250, 240)),
    ((196, 186, 176), (44, 102, 72), (250, 252, 240)),
    ((170, 164, 180), (240, 190, 50), (50, 40, 20)),
)
_INK = (40, 42, 48)
_SHOPS = ("BAKERY", "LIBRARY", "PHARMACY", "POST OFFICE", "MUSEUM", "GARDEN CAFE", "BOOKSHOP", "CITY POOL")
_OWNERS = ("NOVAK", "HARBOUR STREET", "OLD TOWN", "LINDEN", "STATION", "MARTIN", "RIVERSIDE", "KIM")
_TOWNS = ("Oslo", "Porto", "Vienna", "Ghent", "Turin", "Lyon", "Krakow", "Seville", "Bergen", "Zagreb")


@dataclass(frozen=True, slots=True)
class Notice:
    """A headline and lines of text."""

    headline: str
    lines: tuple[str, ...]
    look: int

    @property
    def truth(self) -> Truth:
        """The text from top to bottom, without the date stamp below."""
        text = "\n".join((self.headline, *self.lines))
        return Truth(text, {"headline": self.headline, "lines": list(self.lines)})

    def draw(self, size: int, stamp: str, rng: random.Random) -> Pixels.Image:
        """Paint it; the stamp stands at its foot as the date of print."""
        wall, band, on_band = _PAPERS[self.look]
        canvas = Canvas(size, wall)
        for row in range(9):
            y = row * 60
            canvas.rectangle(0, y, UNITS, 3, _darker(wall))
            for brick in range(6):
                canvas.rectangle(brick * 110 - 55 * (row % 2), y, 3, 60, _darker(wall))
        canvas.panel(62, 56, 400, 412, radius=6, fill=_darker(_darker(wall)))
        canvas.panel(56, 48, 400, 412, radius=6, fill=(252, 250, 244))
        canvas.panel(56, 48, 400, 92, radius=6, fill=band)
        canvas.rectangle(56, 120, 400, 21, band)
        canvas.text(
            256, 95, self.headline, size=_fitting(canvas, self.headline, 40), fill=on_band, anchor="mm"
        )
        for place, line in enumerate(self.lines):
            canvas.text(256, 186 + place * 50, line, size=_fitting(canvas, line, 30), fill=_INK, anchor="mm")
        canvas.line((96, 424), (416, 424), width=1.5, fill=(190, 186, 178))
        canvas.text(256, 441, f"Printed {stamp}", size=15, fill=(110, 108, 104), anchor="mm")
        for x in (76, 436):
            canvas.circle(x, 66, 6, (226, 226, 226))
        return canvas.finish(rng, grain=(392, UNITS))


def compose(rng: random.Random) -> Notice:
    """Choose what a shop, an office or a railway would pin to the wall."""
    opens, closes = rng.randint(7, 11), rng.randint(15, 22)
    phone = f"0{rng.randint(20, 99)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}"
    amount = f"{rng.randint(2, 48)}.{rng.choice(('00', '20', '50', '90'))} EUR"
    train = f"{rng.choice(('IC', 'RE', 'EC'))} {rng.randint(100, 2999)}"
    town = rng.choice(_TOWNS)
    minute = f"{rng.randint(5, 22):02}:{rng.randrange(0, 60, 3):02}"
    headline, lines = rng.choice(
        (
            (
                f"{rng.choice(_SHOPS)} {rng.choice(_OWNERS)}",
                (
                    f"Mon - Fri {opens:02}:30 - {closes}:00",
                    f"Saturday {opens + 1:02}:00 - {closes - 2}:30",
                    "Sunday closed",
                    f"Tel. {phone}",
                ),
            ),
            (
                f"{train} TO {town.upper()}",
                (
                    f"Departure {minute}",
                    f"Platform {rng.randint(1, 24)} {rng.choice('ABCD')}",
                    f"Delay about {rng.randrange(5, 95, 5)} min",
                    f"Coach {rng.randint(1, 9)}, seats {rng.randint(11, 49)} - {rng.randint(50, 99)}",
                ),
            ),
            (
                f"{rng.choice(('SUMMER', 'WINTER', 'SPRING', 'JAZZ', 'FILM', 'FOLK'))} FESTIVAL",
                (
                    f"{town}, hall {rng.randint(1, 12)}",
                    f"Doors open at {minute}",
                    f"Tickets from {amount}",
                    f"Info {phone}",
                ),
            ),
            (
                f"PARCEL {rng.randint(100000, 999999)}",
                (
                    f"To: {rng.randint(1, 199)} {rng.choice(('Mill', 'Park', 'Castle', 'Bridge'))} Road",
                    f"{rng.randint(1000, 9999)} {town}",
                    f"Weight {rng.randint(1, 19)}.{rng.randint(0, 9)} kg",
                    f"Postage {amount}",
                ),
            ),
        )
    )
    return Notice(headline, lines, rng.randrange(len(_PAPERS)))


def _darker(colour: Colour) -> Colour:
    red, green, blue = (round(part * 0.88) for part in colour)
    return red, green, blue


def _fitting(canvas: Canvas, line: str, size: float) -> float:
    return min(size, size * 360 / canvas.text_width(line, size))
