"""Does a reading move with TTFT? Rank correlation that knows its confounders and its own errors.

Requests overlap, and both sides are autocorrelated, so textbook p values claim a relation in most
unrelated runs. Here the size of the request, the load and slow time are taken out of both sides
first (partial Spearman), and the p value comes from sliding the series in time against the
requests, which breaks the pairing and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from glm_locust.correlate.series import Floats, Series

CONTROL_DEGREE = 3
MIN_SHIFT_S = 5.0
FIRST_SHIFTS = 99
UNREMARKABLE_P = 0.2
"""A p above this after the first shifts is final: no correction makes it smaller."""
LAG_ORDER = 5
"""Order of the autoregressive model that prewhitens both sides of the lag curve."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The columns of the requests that enter the statistics, one row a request."""

    begin_s: Floats
    """Start of the window over which the series is averaged."""
    end_s: Floats
    submitted_s: Floats
    ttft_s: Floats
    controls: tuple[Floats, ...] = ()
    """Input size, requests in flight at send, ..."""
    factors: tuple[np.ndarray, ...] = ()
    """What a request belongs to (path, task, ...), as whole numbers: each value has its own mean."""

    def take(self, index: np.ndarray) -> "Requests":
        """The rows chosen by a mask or by positions."""
        return Requests(
            self.begin_s[index],
            self.end_s[index],
            self.submitted_s[index],
            self.ttft_s[index],
            tuple(column[index] for column in self.controls),
            tuple(column[index] for column in self.factors),
        )

    def in_time(self) -> "Requests":
        """The same rows in the order of submission."""
        return self.take(np.argsort(self.submitted_s, kind="stable"))


@dataclass(frozen=True, slots=True)
class Association:
    """How one reading moves with TTFT."""

    n: int
    raw_rho: float
    """Spearman without controls: large here and near 0 in `rho` means 'moves with load'."""
    rho: float
    """Partial Spearman given the controls and slow time."""
    p: float
    null_rho: float
    """95 % of the absolute correlations of slid series stay below this: the least this run could see."""


@dataclass(frozen=True, slots=True)
class LagCurve:
    """Cross-correlation over lags; a positive lag means that the series moves first."""

    lags_s: Floats
    correlation: Floats
    best_lag_s: float
    best_correlation: float
    p: float
    null_band: float


def ranks(values: ArrayLike) -> Floats:
    """Average ranks, centred, in (-0.5, 0.5]; ties share theirs."""
    _, inverse, count = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    end = np.cumsum(count)
    mean_rank = end - (count - 1) / 2.0
    return np.asarray(mean_rank[inverse] / len(inverse) - 0.5, float)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    stepped = np.minimum(1.0, p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(stepped)
    return [float(x) for x in adjusted]


def associate(
    series: Series, requests: Requests, *, shifts: int = 499, rng: np.random.Generator
) -> Association:
    """Partial rank correlation of the series' window means with TTFT, with its shift-test p value.

    A reading that a few shifts already show to be unremarkable gets no more of them.
    """
    requests = requests.in_time()  # neighbours in time are neighbours in the series: look-ups are cheap
    space = _control_space(requests)
    y = _outside(space, ranks(requests.ttft_s))
    x = _filled(series.mean(requests.begin_s, requests.end_s)[0])
    rho = _correlation(_outside(space, ranks(x)), y)

    def rho_at(shift_s: float) -> float:
        moved = _filled(series.mean(requests.begin_s, requests.end_s, shift_s)[0])
        return _correlation(_outside(space, ranks(moved)), y)

    least = min(max(MIN_SHIFT_S, 5 * series.period_s), series.span_s / 4)
    reach_s = series.span_s - 2 * least
    p, null = 1.0, np.zeros(1)
    for count in (min(FIRST_SHIFTS, shifts), shifts):
        # An even comb of shifts from a random start: its own correlation tells how many are independent.
        comb = least + (np.arange(count) + rng.uniform()) / count * reach_s
        null = np.array([rho_at(s) for s in comb])
        by_rank = float((1 + np.sum(np.abs(null) >= abs(rho))) / (count + 1))
        p = max(by_rank, _p_of_few(rho, null))
        if p > UNREMARKABLE_P or count == shifts:
            break
    return Association(
        n=len(y),
        raw_rho=_correlation(ranks(x), ranks(requests.ttft_s)),
        rho=rho,
        p=p,
        null_rho=float(np.quantile(np.abs(null), 0.95)),
    )


def _p_of_few(rho: float, null: Floats) -> float:
    """Two-sided p of `rho` against the spread of `null`, by Student's t with as many degrees of freedom
    as `null` holds independent values.

    A short run has few independent shifts, and the rank among them alone claims too often: shifts
    near zero, which resemble the observed pairing most, are left out of the comb.
    """
    power = float(np.mean(null * null))
    if power <= 0:
        return 1.0
    n = len(null)
    memory = np.array([np.mean(null[: n - k] * null[k:]) for k in range(n // 2)]) / power
    fallen = np.flatnonzero(memory < 0)
    reach = int(fallen[0]) if len(fallen) else len(memory)
    freedom = min(500.0, max(2.0, n / (1 + 2 * float(memory[1:reach].sum()))))
    return _t_tails(abs(rho) / np.sqrt(power), freedom)


def _t_tails(t: float, freedom: float) -> float:
    """Both tails of Student's t beyond `t`: substituting t = sqrt(df) tan(a) leaves a finite integral."""
    angle = np.arctan(t / np.sqrt(freedom))
    whole = np.linspace(0.0, np.pi / 2, 4001)
    density = np.cos(whole) ** (freedom - 1)
    inside = np.trapezoid(np.where(whole <= angle, density, 0.0), whole)
    return float(max(0.0, 1.0 - inside / np.trapezoid(density, whole)))


def interval(
    series: Series,
    requests: Requests,
    *,
    draws: int = 300,
    level: float = 0.95,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Moving-block bootstrap interval of the partial rank correlation.

    Blocks of neighbouring requests are drawn from what the controls leave, so requests that wait for
    the same thing stay together; sums over blocks come from running sums.
    """
    in_time = requests.in_time()
    n = len(in_time.ttft_s)
    space = _control_space(in_time)
    x = _outside(space, ranks(_filled(series.mean(in_time.begin_s, in_time.end_s)[0])))
    y = _outside(space, ranks(in_time.ttft_s))
    block = min(n, max(10, int(4 * n ** (1 / 3))))
    running = np.zeros((5, n + 1))
    np.cumsum([x, y, x * x, y * y, x * y], axis=1, out=running[:, 1:])
    starts = rng.integers(0, n - block + 1, (draws, -(-n // block)))
    mean_x, mean_y, xx, yy, xy = (running[:, starts + block] - running[:, starts]).sum(axis=2) / (
        starts.shape[1] * block
    )
    spread = np.sqrt(np.maximum((xx - mean_x**2) * (yy - mean_y**2), 1e-24))
    low, high = np.quantile((xy - mean_x * mean_y) / spread, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def lag_curve(
    series: Series,
    requests: Requests,
    *,
    max_lag_s: float = 5.0,
    shifts: int = 199,
    rng: np.random.Generator,
) -> LagCurve:
    """At which lag the series lines up best with TTFT; p is that of the maximum over all lags.

    Lag 0 is the instant of submission: what slows a request down while it waits shows at a lag between
    minus its TTFT and 0.

    Both sides are cleaned of the controls, put on one grid, and whitened with the series' own
    autoregressive model, so that its slow wander does not smear the peak.
    """
    step = max(series.period_s, 0.25)
    t = requests.submitted_s
    y = np.log(requests.ttft_s)
    y = _outside(_control_space(requests), y - y.mean())
    grid = np.arange(max(series.begin_s, float(t.min())), min(series.end_s, float(t.max())), step)
    reach = int(max_lag_s / step)
    if len(grid) < 4 * reach + LAG_ORDER:
        raise ValueError(f"the run is too short for lags up to {max_lag_s:g} s")
    cell = np.clip(((t - grid[0]) / step).astype(int), 0, len(grid) - 1)
    count = np.bincount(cell, minlength=len(grid))
    effect = np.bincount(cell, y, len(grid)) / np.maximum(count, 1)
    x = _filled(series.mean(grid, grid + step)[0])
    x = x - x.mean()
    past = np.column_stack([x[LAG_ORDER - i : len(x) - i] for i in range(1, LAG_ORDER + 1)])
    model = np.linalg.lstsq(past, x[LAG_ORDER:], rcond=None)[0]

    def whiten(z: Floats) -> Floats:
        lagged = sum(
            c * z[LAG_ORDER - i : len(z) - i] for i, c in zip(range(1, LAG_ORDER + 1), model, strict=True)
        )
        return np.asarray(z[LAG_ORDER:] - lagged, float)

    xw, yw = whiten(x), whiten(effect)
    lags = range(-reach, reach + 1)

    def curve(white: Floats) -> Floats:
        return np.array(
            [
                _correlation(white[max(0, -k) : len(white) - max(0, k)], yw[max(0, k) : len(yw) + min(0, k)])
                for k in lags
            ]
        )

    found = curve(xw)
    best = int(np.argmax(np.abs(found)))
    slides = rng.integers(2 * reach, max(2 * reach + 1, len(xw) - 2 * reach), shifts)
    null = np.array([np.abs(curve(np.roll(xw, int(s)))).max() for s in slides])
    return LagCurve(
        lags_s=np.array([k * step for k in lags]),
        correlation=found,
        best_lag_s=float(lags[best] * step),
        best_correlation=float(found[best]),
        p=float((1 + np.sum(null >= abs(found[best]))) / (shifts + 1)),
        null_band=float(np.quantile(null, 0.95)),
    )


def variance_shares(
    ttft_s: Floats, groups: Sequence[tuple[str, Sequence[Floats], Sequence[np.ndarray]]]
) -> dict[str, float]:
    """Share of the variance of log TTFT that each group adds, in the order given, and what is left.

    A group is its name, its columns of figures, and its factors. A share is adjusted for the columns
    that it took: chance alone adds nothing on average.
    """
    y = np.log(ttft_s)
    y = y - y.mean()
    total = float(y @ y)
    columns = [np.ones(len(y))]
    shares: dict[str, float] = {}
    explained = 0.0
    for name, figures, factors in groups:
        for column in figures:
            columns.extend(_powers(column))
        for factor in factors:
            columns.extend(_indicators(factor))
        matrix = np.column_stack(columns)
        found, _, rank, _ = np.linalg.lstsq(matrix, y, rcond=None)
        rest = y - matrix @ found
        freedom = len(y) - int(rank)
        left = float(rest @ rest) / total * (len(y) - 1) / freedom if total > 0 and freedom > 0 else 1.0
        now = 1 - left
        shares[name] = now - explained
        explained = now
    shares["unexplained"] = 1 - explained
    return shares


def _powers(column: Floats) -> list[Floats]:
    scaled = 2 * ranks(column)
    return [scaled**k for k in range(1, CONTROL_DEGREE + 1)]


def _control_space(requests: Requests) -> Floats:
    """Orthonormal columns that span the controls, the factors and slow time."""
    columns = [np.ones(len(requests.ttft_s))]
    for column in (*requests.controls, requests.submitted_s):
        columns.extend(_powers(column))
    for factor in requests.factors:
        columns.extend(_indicators(factor))
    matrix = np.column_stack(columns)
    # By the small matrix of products: columns that say the same twice, or nothing, fall away.
    size, turn = np.linalg.eigh(matrix.T @ matrix)
    kept = size > 1e-10 * size[-1]
    return np.asarray(matrix @ (turn[:, kept] / np.sqrt(size[kept])), float)


def _indicators(factor: np.ndarray) -> list[Floats]:
    return [(factor == value).astype(float) for value in np.unique(factor)]


def _outside(space: Floats, values: Floats) -> Floats:
    return np.asarray(values - space @ (space.T @ values), float)


def _filled(values: Floats) -> Floats:
    """Unknown window means at the median: they carry no rank information either way."""
    known = np.isfinite(values)
    return np.where(known, values, np.median(values[known]) if known.any() else 0.0)


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-12 else 0.0
