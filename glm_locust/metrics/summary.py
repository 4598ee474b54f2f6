"""Summary: quantiles of many values in little memory, mergeable in any order.

Every octave (factor of two) is cut into BINS_PER_OCTAVE equal bins, and a value is kept as the number
of its bin. The middle of a bin is at most half a bin away from any value in it, and a bin is at most
1/BINS_PER_OCTAVE of its lower edge wide: hence the error bound, for values of any size and sign.
"""

import importlib
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

BINS_PER_OCTAVE = 128
RELATIVE_ERROR_BOUND = 1 / (2 * BINS_PER_OCTAVE)
"""A quantile differs from the exact one by at most this share of it (0.39 %)."""

SMALLEST_N = {0.95: 20, 0.99: 100}
"""Fewest values from which a percentile is printed; below, it would just name the largest."""

_FIRST_BIN = 1100 * BINS_PER_OCTAVE
"""Added to the numbers of bins, so that none of a positive float is below 1: 0 is the bin of zero."""

MANY = 256
"""From so many values on numpy is faster, its import once aside."""


def enough_for(quantile: float, n: int) -> bool:
    """Whether n values are enough to print this quantile; others than p95 and p99 need one value."""
    return n >= SMALLEST_N.get(quantile, 1)


class Summary:
    """Counts in bins, with exact n, total, minimum and maximum."""

    __slots__ = ("_bins", "_largest", "_n", "_partials", "_smallest")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._bins: dict[int, int] = {}
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
        if not math.isfinite(left := math.fsum(taken)):
            raise ValueError("a summary takes finite numbers only")
        bins = self._bins
        for key, count in _counted(taken):
            bins[key] = bins.get(key, 0) + count
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
        keys = sorted(self._bins)
        ranks = list(accumulate(self._bins[key] for key in keys))
        return tuple(self._quantile(q, keys, ranks) for q in qs)

    def _quantile(self, q: float, keys: list[int], ranks: list[int]) -> float:
        position = q * (self._n - 1)
        below = math.floor(position)
        low = self._value_at(below, keys, ranks)
        high = self._value_at(min(below + 1, self._n - 1), keys, ranks)
        return low + (high - low) * (position - below)

    def _value_at(self, rank: int, keys: list[int], ranks: list[int]) -> float:
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


def _bin_of(value: float) -> int:
    """Numbers of bins are in the order of their values: negative, 0 for zero, positive."""
    if value == 0:
        return 0
    fraction, exponent = math.frexp(abs(value))  # fraction in [0.5, 1)
    number = _FIRST_BIN + exponent * BINS_PER_OCTAVE + int((fraction * 2 - 1) * BINS_PER_OCTAVE)
    return number if value > 0 else -number


def _counted(values: Sequence[float]) -> Iterable[tuple[int, int]]:
    """(bin, how many of the values), not necessarily each bin once."""
    if len(values) < MANY:
        return ((_bin_of(value), 1) for value in values)
    np = importlib.import_module("numpy")  # only who sums up much loads it
    array = np.array(values, dtype=float)
    fractions, exponents = np.frexp(np.abs(array))
    steps = ((fractions * 2 - 1) * BINS_PER_OCTAVE).astype(np.int64)
    numbers = np.sign(array).astype(np.int64) * (_FIRST_BIN + exponents * BINS_PER_OCTAVE + steps)
    keys, counts = np.unique(numbers, return_counts=True)
    return zip(keys.tolist(), counts.tolist(), strict=True)


def _middle(key: int) -> float:
    if key == 0:
        return 0.0
    exponent, step = divmod(abs(key) - _FIRST_BIN, BINS_PER_OCTAVE)
    return math.copysign(math.ldexp(1 + (step + 0.5) / BINS_PER_OCTAVE, exponent - 1), key)


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
