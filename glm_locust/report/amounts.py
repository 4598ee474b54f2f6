"""How values of readings are printed, by their unit."""

from dataclasses import dataclass

from glm_locust.report.catalogue import NBSP, NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class Scale:
    """From the unit of a reading to the one that people read."""

    factor: float
    suffix: str
    decimals: int


SCALES = {
    "ratio": Scale(100, f"{NBSP}%", 0),
    "bytes": Scale(1e-9, f"{NBSP}GB", 2),
    "hertz": Scale(1e-6, f"{NBSP}MHz", 0),
    "watts": Scale(1, f"{NBSP}W", 0),
    "celsius": Scale(1, f"{NBSP}°C", 0),
    "cores": Scale(1, f"{NBSP}cores", 2),
    "requests": Scale(1, "", 1),
}


def amount(value: float | None, unit: str) -> str:
    """`93 %`, `18.70 GB` (1 GB = 10^9 bytes), `1,980 MHz`; `n/a` for None."""
    if value is None:
        return NOT_AVAILABLE
    scale = SCALES[unit]
    return f"{value * scale.factor:,.{scale.decimals}f}{scale.suffix}"
