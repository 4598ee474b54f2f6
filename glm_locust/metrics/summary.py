"""Summary: quantiles of many values in little memory, mergeable in any order.

Every octave (factor of two) is cut into BINS_PER_OCTAVE equal bins, and a value is kept as the number
of its bin. The middle of a bin is at most half a bin away from any value in it, and a bin is at most
1/BINS_PER_OCTAVE of its lower edge wide: hence the error bound, for values of any size and sign.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

BINS_PER_OCTAVE = 128
RELATIVE_ERROR_BOUND = 1 / (2 * BINS_PER_OCTAVE)
"""A quantile differs from the exact one by at most this share of it (0.39 %)."""

SMALLEST_N = {0.95: 20, 0.99: 100}
"""Fewest values from which a percentile is printed; below, it would just name the largest."""

_Key = tuple[int, int] | None
"""Sign and number of a bin; None is the bin of zero."""

_ZERO_BIN = None


def enough_for(quantile: float, n: int) -> bool:
    """Whether n values are enough to print this quantile; others than p95 and p99 need one value."""
    return n >= SMALLEST_N.get(quantile, 1)


class Summary:
    """Counts in bins, with exact n, total, minimum and maximum."""

    __slots__ = ("_bins", "_largest", "_n", "_partials", "_smallest")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._bins: dict[_Key, int] = {}
        self._n = 0
        self._smallest = math.inf
        self._largest = -math.inf
        self._partials: list[float] = []
        self.add_all(values)

    @property
    def n(self) -> int:
        """How many values."""
        return self._n

    @property
    def total(self) -> float:
        """The exact sum, rounded once: it does not depend on the order of adding or merging."""
        return math.fsum(self._partials)

    @property
    def mean(self) -> float | None:
        """Total over n; None without values."""
        return self.total / self._n if self._n else None

    @property
    def minimum(self) -> float | None:
        """Smallest value, exact; None without values."""
        return self._smallest if self._n else None

    @property
    def maximum(self) -> float | None:
        """Largest value, exact; None without values."""
        return self._largest if self._n else None

    def add(self, value: float) -> None:
        """Take one finite value; raises ValueError for NaN and infinities."""
        if not math.isfinite(value):
            raise ValueError(f"a summary takes finite numbers, not {value}")
        key = _bin_of(value)
        self._bins[key] = self._bins.get(key, 0) + 1
        self._n += 1
        self._smallest = min(self._smallest, value)
        self._largest = max(self._largest, value)
        _add_exactly(self._partials, value)

    def add_all(self, values: Iterable[float]) -> None:
        """Take many finite values, for less than `add` costs for each; all or none of them are taken.

        Raises ValueError for NaN and infinities.
        """
        taken = tuple(values)
        if not taken:
            return
        bins = self._bins
        if not math.isfinite(left := math.fsum(taken)):
            raise ValueError("a summary takes finite numbers only")
        for value in taken:
            key = _bin_of(value)
            bins[key] = bins.get(key, 0) + 1
        self._n += len(taken)
        self._smallest = min(self._smallest, *taken)
        self._largest = max(self._largest, *taken)
        # The sum of many, rounded; then what that rounding has left, until nothing is left.
        summed: list[float] = []
        while left:
            _add_exactly(self._partials, left)
            summed.append(-left)
            left = math.fsum((*taken, *summed))

    def merge(self, other: "Summary") -> None:
        """Take all values of another summary, which stays as it is."""
        for key, count in list(other._bins.items()):
            self._bins[key] = self._bins.get(key, 0) + count
        self._n += other._n
        self._smallest = min(self._smallest, other._smallest)
        self._largest = max(self._largest, other._largest)
        for partial in list(other._partials):
            _add_exactly(self._partials, partial)

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0..1), interpolated between neighbours as numpy does; None without values.

        Raises ValueError for a q outside 0..1.
        """
        return self.quantiles((q,))[0]

    def quantiles(self, qs: Sequence[float]) -> tuple[float | None, ...]:
        """Several of them, in their order, for little more than one costs."""
        for q in qs:
            if not 0 <= q <= 1:
                raise ValueError(f"a quantile lies between 0 and 1, not {q}")
        if not self._n:
            return (None,) * len(qs)
        keys = sorted(self._bins, key=_place)
        ranks = list(accumulate(self._bins[key] for key in keys))
        return tuple(self._quantile(q, keys, ranks) for q in qs)

    def _quantile(self, q: float, keys: list[_Key], ranks: list[int]) -> float:
        position = q * (self._n - 1)
        below = math.floor(position)
        low = self._value_at(below, keys, ranks)
        high = self._value_at(min(below + 1, self._n - 1), keys, ranks)
        return low + (high - low) * (position - below)

    def _value_at(self, rank: int, keys: list[_Key], ranks: list[int]) -> float:
        if rank == 0:
            return self._smallest
        if rank == self._n - 1:
            return self._largest
        middle = _middle(keys[bisect_right(ranks, rank)])
        return min(max(middle, self._smallest), self._largest)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        return (self._bins, self._n, self._smallest, self._largest, self.total) == (
            other._bins,
            other._n,
            other._smallest,
            other._largest,
            other.total,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable, as for list

    def __repr__(self) -> str:
        return f"Summary(n={self._n}, p50={self.quantile(0.5)}, p95={self.quantile(0.95)})"


def _bin_of(value: float) -> _Key:
    """(sign, bin number), or None for zero."""
    if value == 0:
        return _ZERO_BIN
    fraction, exponent = math.frexp(abs(value))  # fraction in [0.5, 1)
    return (1 if value > 0 else -1, exponent * BINS_PER_OCTAVE + int((fraction * 2 - 1) * BINS_PER_OCTAVE))


def _place(key: _Key) -> tuple[int, int]:
    """Sorts bins by their values."""
    return (0, 0) if key is None else (key[0], key[0] * key[1])


def _middle(key: _Key) -> float:
    if key is None:
        return 0.0
    sign, number = key
    exponent, step = divmod(number, BINS_PER_OCTAVE)
    return sign * math.ldexp(1 + (step + 0.5) / BINS_PER_OCTAVE, exponent - 1)


def _add_exactly(partials: list[float], value: float) -> None:
    """Add `value` to a sum held as floats that do not overlap (Shewchuk 1997), losing no bit."""
    kept = 0
    for partial in partials:
        larger, smaller = (value, partial) if abs(value) >= abs(partial) else (partial, value)
        value = larger + smaller
        rest = smaller - (value - larger)
        if rest:
            partials[kept] = rest
            kept += 1
    partials[kept:] = [value]
