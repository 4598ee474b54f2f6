"""ThinkTags: tells a leading `<think>...</think>` in the content from the answer after it."""

from enum import Enum
from typing import Final, NamedTuple

from glm_locust.records import TextKind

OPEN_TAG: Final = "<think>"
CLOSE_TAG: Final = "</think>"

REASONING: Final = "reasoning"
ANSWER: Final = "answer"
OPENING: Final = "opening"
"""Holds the first text while white space or part of a tag leaves open what it is."""


class Piece(NamedTuple):
    """Some text of one candidate."""

    candidate: str
    kind: TextKind
    text: str


class _State(Enum):
    OPENING = "nothing, white space or part of a tag so far"
    THINKING = "between the tags"
    ANSWER = "after them, or there are none"


class ThinkTags:
    """Follows the content of one answer, its tags split over deltas in any way.

    The tags themselves count as reasoning. Text that leaves open what it is counts at once, as
    candidate `opening`, since it has been delivered; the next piece of that candidate settles its kind.
    """

    def __init__(self, *, enabled: bool) -> None:
        self._state = _State.OPENING if enabled else _State.ANSWER
        self._seen = ""  # OPENING: all text so far; THINKING: what may be the start of the closing tag
        self._thoughts = REASONING
        self.answer = ANSWER
        """The candidate that is the answer, as far as is known by now."""

    @property
    def undecided(self) -> bool:
        """Whether text has come that may yet turn out to be reasoning."""
        return self._state is _State.OPENING and bool(self._seen)

    def feed(self, text: str) -> tuple[Piece, ...]:
        """The pieces of one delta of content, which is not empty."""
        if self._state is _State.ANSWER:
            return (Piece(self.answer, TextKind.ANSWER, text),)
        if self._state is _State.THINKING:
            return self._think(text)
        lead = (self._seen + text).lstrip()
        if lead.startswith(OPEN_TAG):
            self.settle_as_reasoning()
            self._state = _State.THINKING
            return self._think(text)
        self._seen += text
        if OPEN_TAG.startswith(lead):
            self.answer = OPENING
        else:
            self._state = _State.ANSWER
        return (Piece(self.answer, TextKind.ANSWER, text),)

    def settle_as_reasoning(self) -> str:
        """Reasoning has come: what was undecided belongs to it, content from here on is the answer.

        Returns the candidate that the reasoning belongs to.
        """
        if self._state is _State.OPENING:
            if self._seen:
                self._thoughts = OPENING
            self._seen = ""
            self.answer = ANSWER
            self._state = _State.ANSWER
        return self._thoughts

    def _think(self, text: str) -> tuple[Piece, ...]:
        window = self._seen + text
        at = window.find(CLOSE_TAG)
        if at < 0:
            self._seen = window[1 - len(CLOSE_TAG) :]
            return (Piece(self._thoughts, TextKind.REASONING, text),)
        cut = at + len(CLOSE_TAG) - len(self._seen)
        self._state = _State.ANSWER
        thoughts = Piece(self._thoughts, TextKind.REASONING, text[:cut])
        if cut == len(text):
            return (thoughts,)
        return (thoughts, Piece(self.answer, TextKind.ANSWER, text[cut:]))
