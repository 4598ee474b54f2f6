"""A sentence in the making: a key of the catalogue and the figures it is to be told with."""

from dataclasses import dataclass, field
from typing import Union

Figure = Union[float, int, str, None, "Statement"]  # a name in quotes knows no `|`
"""A figure's name ends in its unit: `_s`, `_share`, `_bytes`, `_per_s`; others are counts, words, or a
statement that is part of a larger one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be said, in no language yet."""

    key: str
    figures: dict[str, Figure] = field(default_factory=dict)
