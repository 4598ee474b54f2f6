"""A sampled reading as a step function, integrated once, so that window means cost two look-ups.

A sample at `t` with value `v` stands for the mean over (t - period, t]: that is how a driver reports
utilisation, and for a counter it is its rate since the sample before. Where samples are missing the
reading is unknown, never held.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

HOLE_PERIODS = 3.0
"""A gap longer than this many periods is a hole: its value is unknown."""


@dataclass(frozen=True, slots=True)
class Windows:
    """What a series says of each window: time-weighted mean, maximum, and share of the window covered."""

    mean: Floats
    maximum: Floats
    coverage: Floats


class Series:
    """One reading of one device over a run; times in s on the clock of the requests."""

    def __init__(self, times_s: ArrayLike, values: ArrayLike, period_s: float | None = None) -> None:
        """Samples in any order; of samples with equal times the first counts. At least two are needed
        unless `period_s` is given. NaN values count as missing samples."""
        t = np.asarray(times_s, float)
        v = np.asarray(values, float)
        known = np.isfinite(t) & np.isfinite(v)
        t, v = t[known], v[known]
        order = np.argsort(t, kind="stable")
        t, v = t[order], v[order]
        fresh = np.r_[True, np.diff(t) > 0][: len(t)]
        t, v = t[fresh], v[fresh]
        if len(t) < 1 or (len(t) < 2 and period_s is None):
            raise ValueError("a series needs at least two samples, or one and its period")
        self.period_s = float(np.median(np.diff(t))) if period_s is None else float(period_s)
        step = np.r_[self.period_s, np.diff(t)]
        # After a hole a sample still speaks for the one period before it.
        span = np.where(step > HOLE_PERIODS * self.period_s, self.period_s, step)
        self.times_s: Floats = t
        self.values: Floats = v
        # Two knots a sample: where its span begins and where it ends.
        knots = np.empty(2 * len(t))
        knots[0::2], knots[1::2] = t - span, t
        covered = np.zeros(2 * len(t))
        covered[1::2] = span
        area = np.zeros(2 * len(t))
        area[1::2] = span * v
        self._knots: Floats = knots
        self._covered: Floats = np.cumsum(covered)
        self._area: Floats = np.cumsum(area)
        self.begin_s = float(knots[0])
        self.end_s = float(t[-1])

    @property
    def span_s(self) -> float:
        """Length of the recorded time, holes included."""
        return self.end_s - self.begin_s

    def mean(self, begin_s: ArrayLike, end_s: ArrayLike, shift_s: float = 0.0) -> tuple[Floats, Floats]:
        """Time-weighted mean over each [begin, end] and the share of it that is covered.

        With `shift_s` the windows are moved by that much, circularly within the recorded time: that
        breaks the pairing of requests and samples and nothing else. NaN where nothing is covered.
        """
        begin = np.asarray(begin_s, float)
        length = np.maximum(np.asarray(end_s, float) - begin, 1e-6)
        if shift_s:
            begin = self.begin_s + np.mod(begin - self.begin_s + shift_s, self.span_s)
        end = begin + length
        area = self._between(self._area, begin, end)
        covered = self._between(self._covered, begin, end)
        if shift_s:
            over = np.maximum(end - self.end_s, 0.0)
            start = np.full_like(begin, self.begin_s)
            area += self._between(self._area, start, start + over)
            covered += self._between(self._covered, start, start + over)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(covered > 1e-9, area / covered, np.nan)
        return mean, np.minimum(covered / length, 1.0)

    def windows(self, begin_s: ArrayLike, end_s: ArrayLike) -> Windows:
        """Mean, maximum and coverage of each window; NaN where nothing is covered."""
        mean, coverage = self.mean(begin_s, end_s)
        begin, end = np.asarray(begin_s, float), np.asarray(end_s, float)
        first = np.searchsorted(self.times_s, begin, side="right")
        # The sample whose span holds the window's end still speaks for the window.
        last = np.searchsorted(self.times_s - self.period_s, end, side="left")
        padded = np.r_[self.values, -np.inf]
        edges = np.column_stack([first, np.maximum(last, first)]).ravel()
        maximum = np.where(last > first, np.maximum.reduceat(padded, edges)[::2], np.nan)
        return Windows(mean, np.where(coverage > 0, maximum, np.nan), coverage)

    def _between(self, cumulative: Floats, begin: Floats, end: Floats) -> Any:
        return np.interp(end, self._knots, cumulative) - np.interp(begin, self._knots, cumulative)
