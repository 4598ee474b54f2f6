"""A sentence in the making: a key of the catalogue and the figures it is to be told with."""

from dataclasses import dataclass, field

Figure = float | int | str | None
"""A figure's name ends in its unit: `_s`, `_share`, `_bytes`, `_per_s`; others are counts or words."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be said, in no language yet."""

    key: str
    figures: dict[str, Figure] = field(default_factory=dict)
