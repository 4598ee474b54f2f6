"""Answers of the simulated model: readable text of an exact number of tokens, made without looking.

The model sees neither images nor meaning: it recognises the kind of question and its language, and
puts whole sentences of `phrases` together until the length fits.
"""

import functools
import random
import re

from glm_locust.testbed.phrases import PHRASES, Phrases
from glm_locust.testbed.presets import LENGTH_SPREAD, TaskProfile

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ATTEMPTS = 24
"""Random choices of sentences of which the best in length is taken."""
_PIECES_PER_TOKEN = 1.1
"""Text is chosen a little longer than its tokens, then neighbours are merged."""
_PIECE = re.compile(r"\n+|\s?[A-Za-z]{1,6}|\s?[0-9]+|[\u4e00-\u9fff]{1,2}|\s?[^\sA-Za-z0-9]")


def compose(text: str, task: str | None, profile: TaskProfile, seed: int) -> list[str]:
    """The tokens of the answer to the question `text`; the same for the same question and seed."""
    # A string seed is hashed with SHA-512, so it gives the same answers in every process.
    rng = random.Random(f"{seed}:{text}")
    spread = round(profile.output_tokens * LENGTH_SPREAD)
    length = max(1, profile.output_tokens + rng.randint(-spread, spread))
    language = "zh" if _CHINESE.search(text) else "en"
    phrases = PHRASES[language].get(task or "other", PHRASES[language]["other"])
    return _fit(_choose(phrases, length, rng), length, rng)


def _choose(phrases: Phrases, length: int, rng: random.Random) -> list[str]:
    """Pieces of whole sentences, first and last one given, about `length` tokens in all."""
    opening, closing = pieces(phrases.opening), pieces(phrases.closing)
    middle = [pieces(sentence) for sentence in phrases.middle]
    missing = length * _PIECES_PER_TOKEN - len(opening) - len(closing)
    best: list[int] = []
    best_distance = abs(missing)
    for _ in range(_ATTEMPTS):
        order = rng.sample(range(len(middle)), len(middle))
        total = 0
        for count, index in enumerate(order, 1):
            total += len(middle[index])
            if abs(missing - total) < best_distance:
                best_distance = abs(missing - total)
                best = order[:count]
            if total >= missing:
                break
    chosen = list(opening)
    for index in sorted(best):
        chosen += middle[index]
    return chosen + list(closing)


def _fit(found: list[str], length: int, rng: random.Random) -> list[str]:
    """Exactly `length` tokens: neighbours merged where there are too many, long ones cut where too few."""
    while len(found) > length:
        at = rng.randrange(len(found) - 1)
        found[at : at + 2] = [found[at] + found[at + 1]]
    while len(found) < length:
        at = max(range(len(found)), key=lambda i: len(found[i]))
        if len(found[at]) < 2:
            found += ["."] * (length - len(found))
            break
        half = len(found[at]) // 2
        found[at : at + 1] = [found[at][:half], found[at][half:]]
    return found


@functools.cache
def pieces(sentence: str) -> tuple[str, ...]:
    """Split a sentence about as a tokenizer does; joined they give the sentence again."""
    return tuple(_PIECE.findall(sentence))
