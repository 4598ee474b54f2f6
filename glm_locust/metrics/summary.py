"""Summary: quantiles of many values in little memory, mergeable in any order.

Every octave (factor of two) is cut into BINS_PER_OCTAVE equal bins, and a value is kept as the number
of its bin. The middle of a bin is at most half a bin away from any value in it, and a bin is at most
1/BINS_PER_OCTAVE of its lower edge wide: hence the error bound, for normal floats of any size and sign.

The upper bits of a float, its exponent and the first bits of its fraction, are that number already.
"""

import importlib
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

_BITS = 7
BINS_PER_OCTAVE = 1 << _BITS
RELATIVE_ERROR_BOUND = 1 / (2 * BINS_PER_OCTAVE)
"""A quantile differs from the exact one by at most this share of it (0.39 %)."""

SMALLEST_N = {0.95: 20, 0.99: 100}
"""Fewest values from which a percentile is printed; below, it would just name the largest."""

_FRACTION_BITS = 52
_DROPPED = _FRACTION_BITS - _BITS
"""Lower bits of a float that do not tell its bin."""
_EXPONENT_OF_ONE = 1023
"""What the bits of a float say for numbers from 1 to 2."""


def enough_for(quantile: float, n: int) -> bool:
    """Whether n values are enough to print this quantile; others than p95 and p99 need one value."""
    return n >= SMALLEST_N.get(quantile, 1)


class Summary:
    """Counts in bins, with exact n, minimum and maximum."""

    __slots__ = ("_largest", "_n", "_octaves", "_smallest")

    def __init__(self, values: "Iterable[float] | Floats" = ()) -> None:
        self._octaves: dict[int, Counts] = {}
        """Number of an octave -> how many values are in each of its bins; octaves without any are absent."""
        self._n = 0
        self._smallest = math.inf
        self._largest = -math.inf
        self.add_all(values)

    @property
    def n(self) -> int:
        """How many values."""
        return self._n

    @property
    def minimum(self) -> float | None:
        """Smallest value, exact; None without values."""
        return self._smallest if self._n else None

    @property
    def maximum(self) -> float | None:
        """Largest value, exact; None without values."""
        return self._largest if self._n else None

    def add_all(self, values: "Iterable[float] | Floats") -> None:
        """Take many finite values, the more at once the less for each; all or none of them are taken.

        Raises ValueError for NaN and infinities.
        """
        np = _numpy()
        if not isinstance(values, np.ndarray):
            values = np.array(values if isinstance(values, list) else list(values), dtype=np.float64)
        ordered: Floats = np.sort(values)
        if not len(ordered):
            return
        smallest, largest = float(ordered[0]), float(ordered[-1])
        if not (math.isfinite(smallest) and math.isfinite(largest)):
            raise ValueError("a summary takes finite numbers only")
        bins = _bins_of(ordered)
        octaves = bins >> _BITS
        begins = [0, *(np.flatnonzero(octaves[1:] != octaves[:-1]) + 1).tolist()]
        for begin, end in zip(begins, [*begins[1:], len(bins)], strict=True):
            steps = bins[begin:end] & (BINS_PER_OCTAVE - 1)
            self._count(int(octaves[begin]), np.bincount(steps, minlength=BINS_PER_OCTAVE))
        self._n += len(ordered)
        self._smallest = min(self._smallest, smallest)
        self._largest = max(self._largest, largest)

    def merge(self, other: "Summary") -> None:
        """Take all values of another summary, which stays as it is."""
        for number, counts in list(other._octaves.items()):
            self._count(number, counts)
        self._n += other._n
        self._smallest = min(self._smallest, other._smallest)
        self._largest = max(self._largest, other._largest)

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
        last = self._n - 1
        positions = [q * last for q in qs]
        ranks = [min(math.floor(at) + step, last) for at in positions for step in (0, 1)]
        values = self._values_at(ranks)
        return tuple(
            low + (high - low) * (at - math.floor(at))
            for at, low, high in zip(positions, values[::2], values[1::2], strict=True)
        )

    def _values_at(self, ranks: Sequence[int]) -> list[float]:
        octaves = sorted(self._octaves)
        np = _numpy()
        up_to = np.concatenate([self._octaves[number] for number in octaves]).cumsum()
        found = []
        for rank, place in zip(ranks, up_to.searchsorted(ranks, "right").tolist(), strict=True):
            if rank == 0:
                found.append(self._smallest)
            elif rank == self._n - 1:
                found.append(self._largest)
            else:
                octave, step = divmod(place, BINS_PER_OCTAVE)
                middle = _middle((octaves[octave] << _BITS) + step)
                found.append(min(max(middle, self._smallest), self._largest))
        return found

    def _count(self, number: int, counts: "Counts") -> None:
        known = self._octaves.get(number)
        self._octaves[number] = counts if known is None else known + counts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        return (self._n, self._smallest, self._largest, self._octaves.keys()) == (
            other._n,
            other._smallest,
            other._largest,
            other._octaves.keys(),
        ) and all((counts == other._octaves[number]).all() for number, counts in self._octaves.items())

    __hash__ = None  # type: ignore[assignment]  # mutable, as for list

    def __repr__(self) -> str:
        return f"Summary(n={self._n}, p50={self.quantile(0.5)}, p95={self.quantile(0.95)})"


def _numpy() -> Any:
    """Loaded by who sums up something, since it takes a while: one question by hand needs none of it."""
    return importlib.import_module("numpy")


def _bins_of(ordered: "Floats") -> "Counts":
    """Numbers of bins are in the order of their values: negative, 0 for zero, positive."""
    np = _numpy()
    bins: Counts = np.abs(ordered).view(np.int64) >> _DROPPED
    return np.where(ordered < 0, -bins, bins) if ordered[0] < 0 else bins


def _middle(number: int) -> float:
    if number == 0:
        return 0.0
    exponent, step = divmod(abs(number), BINS_PER_OCTAVE)
    scale = math.ldexp(1.0, exponent - _EXPONENT_OF_ONE)
    return math.copysign(scale * (1 + (step + 0.5) / BINS_PER_OCTAVE), number)
