"""Untrusted text on a terminal."""

_KEPT = frozenset("\n\t\u200c\u200d")
"""Line breaks, and what joins letters of some scripts and parts of some pictures."""


def printable(text: str) -> str:
    """The text with everything that could steer a terminal, or reorder its line, as an escape."""
    return "".join(c if c.isprintable() or c in _KEPT else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def milliseconds(ns: int) -> str:
    """A duration in ms with one decimal."""
    return f"{ns / 1e6:,.1f}"
