"""What a message says, for a person who reads along."""

from dataclasses import dataclass

SAID_LIMIT = 500
"""Characters kept of what a message says."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One message in words; `said` is untrusted text."""

    kind: str
    said: str = ""
    path: tuple[int, ...] | None = None
    """Where on a page it belongs."""


def shortened(text: str) -> str:
    """No more of a text than anybody wants to see of one message: its beginning and its end."""
    half = SAID_LIMIT // 2
    return text if len(text) <= SAID_LIMIT else f"{text[: half - 1]}…{text[-half:]}"
