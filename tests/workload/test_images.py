"""Generated images: they show what their truth says, and no two are alike."""

import itertools
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.workload import TASKS
from glm_locust.workload.drawing import chart, landscape, meal, notice
from glm_locust.workload.images import compose

seeds = st.integers(0, 2**32).map(random.Random)

RULES = {
    r"rises by (\d+)": lambda values, step: all(b - a == step for a, b in itertools.pairwise(values)),
    r"falls by (\d+)": lambda values, step: all(a - b == step for a, b in itertools.pairwise(values)),
    r"doubles": lambda values: all(b == 2 * a for a, b in itertools.pairwise(values)),
    r"rises by (\d+) and falls by (\d+) in turn": lambda values, up, down: all(
        b - a == (-down if place % 2 else up) for place, (a, b) in enumerate(itertools.pairwise(values))
    ),
    r"rises by (\d+) more each time": lambda values, step: all(
        b - a == step * (place + 1) for place, (a, b) in enumerate(itertools.pairwise(values))
    ),
}


@given(seeds)
def test_the_next_value_of_a_chart_follows_its_rule(rng):
    drawn = chart.compose(rng)
    values = (*drawn.values, drawn.next_value)
    assert 7 <= len(values) <= 9
    assert min(values) >= 0
    (matching,) = [
        check(values, *map(int, match.groups()))
        for pattern, check in RULES.items()
        if (match := re.fullmatch(pattern, drawn.rule))
    ]
    assert matching
    assert drawn.truth.answer == str(drawn.next_value)


@given(seeds)
def test_the_counts_of_a_landscape_are_its_things(rng):
    scene = landscape.compose(rng)
    facts = scene.truth.facts
    counts = Counter(thing.name for thing in scene.things)
    assert {name: facts[name] for name in counts} == counts
    assert facts["objects"] == len(scene.things) == sum(counts.values())
    assert len({(thing.x, thing.y) for thing in scene.things}) == len(scene.things)


@given(seeds)
def test_the_differences_of_two_landscapes_are_as_many_as_stated(rng):
    first = landscape.compose(rng)
    second, truth = landscape.vary(rng, first)
    left, right = ({(t.x, t.y): t for t in scene.things} for scene in (first, second))
    missing = len(left.keys() - right.keys())
    recoloured = sum(left[place].colour != right[place].colour for place in right)
    assert missing == 1
    assert recoloured >= 1
    assert missing + recoloured + (first.light != second.light) == truth.facts["differences"]
    assert truth.facts["differences"] == len(truth.facts["changes"]) >= 2


@given(seeds)
def test_a_meal_can_be_advised_upon(rng):
    plate = meal.compose(rng)
    assert 3 <= len(set(plate.foods)) == len(plate.foods) <= 4
    assert plate.drink in plate.truth.answer
    assert all(food in plate.truth.answer for food in plate.foods)


@given(seeds)
def test_a_notice_holds_latin_letters_only_and_fits_its_paper(rng):
    sign = notice.compose(rng)
    assert sign.truth.answer.splitlines() == [sign.headline, *sign.lines]
    assert sign.truth.answer.isascii()
    assert len(sign.lines) == 4


@pytest.mark.parametrize("task", sorted(TASKS))
def test_task_has_as_many_images_as_its_table_says(task):
    pictures, _ = compose(task, random.Random(1))
    assert len(pictures) == TASKS[task].images


@pytest.mark.parametrize("drawing", [landscape, notice, chart, meal])
def test_drawing_depends_on_the_picture_and_not_only_on_its_stamp(drawing):
    def pixels(seed):
        return drawing.compose(random.Random(seed)).draw(256, "2001-02-03 04:05", random.Random(0))

    images = [pixels(seed) for seed in range(6)]
    assert {image.size for image in images} == {(256, 256)}
    assert len({image.tobytes() for image in images}) == len(images)
    assert pixels(0).tobytes() == images[0].tobytes()


def test_the_stamp_alone_makes_an_image_differ():
    scene = landscape.compose(random.Random(1))
    at = [scene.draw(128, f"2001-02-03 04:0{minute}", random.Random(0)).tobytes() for minute in range(10)]
    assert len(set(at)) == 10


def test_white_sails_and_the_sun_are_where_they_were_put():
    thing = landscape.Thing("boat", "red", 256, 400, 1.0)
    scene = landscape.Landscape("sea", "day", 100, (thing,))
    image = scene.draw(512, "", random.Random(0))
    assert image.getpixel((100, 70)) == (255, 240, 190)
    red, green, blue = image.getpixel((266, 370))
    assert red > 180
    assert max(green, blue) < 80
