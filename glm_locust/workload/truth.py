"""What a generated picture is known to show."""

from dataclasses import dataclass

Fact = str | int | list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Truth:
    """The right answer to a built-in question."""

    answer: str
    """One English sentence or the bare answer."""
    facts: dict[str, Fact]
    """The same, to be checked by programs."""
