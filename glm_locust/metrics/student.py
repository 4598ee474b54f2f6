"""Student's t distribution: how far an estimate with few pieces behind it may stray by chance."""

import math

_STEPS = 300
_SMALL = 1e-300
_PRECISION = 1e-14


def two_sided_p(t: float, df: float) -> float:
    """Probability of a value at least as far from zero as `t`, with `df` > 0 degrees of freedom."""
    if math.isinf(t):
        return 0.0
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


def critical_value(confidence: float, df: float) -> float:
    """The t that `confidence` of all values lie within, on both sides of zero."""
    beyond = 1 - confidence
    low, high = 0.0, 1.0
    while two_sided_p(high, df) > beyond:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, df) > beyond else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of I_x(a, b), evaluated from the front (Lentz)."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / _off_zero(1 + numerator * d)
            c = _off_zero(1 + numerator / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _off_zero(value: float) -> float:
    return value if abs(value) > _SMALL else _SMALL
