"""Who makes which arrival: the one sequence, dealt to workers by index, and dealt anew when they change."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """From the arrival `first` on: every `workers`-th one, beginning with the one at `place`."""

    first: int
    place: int | None
    """None: nothing from here on."""
    workers: int

    def holds(self, index: int) -> bool:
        """Whether an arrival from `first` on is part of it."""
        return self.place is not None and (index - self.first) % self.workers == self.place


def shares_of(worker: str, splits: Sequence[tuple[int, Sequence[str]]]) -> tuple[Share, ...]:
    """What one worker makes, by the splits so far: from which arrival on, among which workers.

    The shares of all workers together are every arrival once.
    """
    return tuple(
        Share(first, workers.index(worker) if worker in workers else None, len(workers))
        for first, workers in splits
    )


class Walk:
    """One worker's way along the sequence; it may be told of a new split at any time."""

    def __init__(self, timetable: Callable[[], Iterator[int]], shares: Sequence[Share]) -> None:
        """`timetable` gives the instants of the whole sequence, from its beginning each time."""
        self._timetable = timetable
        self._instants = enumerate(timetable())
        self._shares = tuple(shares)
        self._ahead: tuple[int, int] | None = next(self._instants, None)
        """The first arrival that was not passed yet, with its instant; it may be another worker's."""
        self._owed: deque[tuple[int, int]] = deque()

    @property
    def splits(self) -> int:
        """How many splits it has been told of."""
        return len(self._shares)

    def deal(self, shares: Sequence[Share]) -> None:
        """Follow these shares: the old ones, with new ones behind them.

        What is ours now, was not, and is passed already, comes next: a split that is told of late
        leaves no gap.
        """
        old, self._shares = self._shares, tuple(shares)
        first = min((share.first for share in self._shares[len(old) :]), default=0)
        passed = None if self._ahead is None else self._ahead[0]
        if passed is None or first < passed:
            again = itertools.islice(enumerate(self._timetable()), first, passed)
            self._owed.extend(
                (index, instant)
                for index, instant in again
                if _holds(self._shares, index) and not _holds(old, index)
            )

    def peek(self) -> tuple[int, int] | None:
        """Index and instant of our next arrival; None: there is none, unless a new split brings some."""
        if self._owed:
            return self._owed[0]
        last = self._shares[-1] if self._shares else Share(0, None, 0)
        while self._ahead is not None and not _holds(self._shares, index := self._ahead[0]):
            if last.place is None and index >= last.first:
                return None  # the sequence may have no end
            self._ahead = next(self._instants, None)
        return self._ahead

    def take(self) -> None:
        """Our next arrival is made."""
        if self._owed:
            self._owed.popleft()
        else:
            self._ahead = next(self._instants, None)


def _holds(shares: Sequence[Share], index: int) -> bool:
    for share in reversed(shares):
        if share.first <= index:
            return share.holds(index)
    return False
