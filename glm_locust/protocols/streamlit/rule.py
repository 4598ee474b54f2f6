"""A rule of choice whose decision can be told to a person."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

Criterion = tuple[str, Callable[[Item], Any]]
"""What the preferred item does or is, in words, and a key that is smaller the more it is so."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[Item]):
    """Criteria in the order of their weight: a later one decides only between equals."""

    criteria: tuple[Criterion[Item], ...]

    def order(self, items: Iterable[Item]) -> list[Item]:
        """The items, best first."""
        return sorted(items, key=self._rank)

    def best(self, items: Iterable[Item]) -> Item | None:
        """The best item, None among none."""
        return min(items, key=self._rank, default=None)

    def apart(self, better: Item, worse: Item) -> str:
        """The first criterion by which one item goes before another; empty where none does."""
        for words, key in self.criteria:
            if key(better) < key(worse):
                return words
        return ""

    def _rank(self, item: Item) -> tuple[Any, ...]:
        return tuple(key(item) for _, key in self.criteria)
