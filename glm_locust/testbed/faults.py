"""Faults on demand: what the simulated server does wrong to the next requests, for tests."""

from collections import deque
from enum import StrEnum

import msgspec

from glm_locust.errors import ConfigError


class FaultKind(StrEnum):
    """What goes wrong."""

    DELAY = "delay"
    """The request reaches the engine `seconds` late."""
    CUT = "cut"
    """The connection is closed after `after_tokens` tokens."""
    SERVER_ERROR = "500"
    GARBAGE = "garbage"
    """After `after_tokens` tokens comes something that is neither an event nor JSON, then the end."""
    STALL = "stall"
    """After `after_tokens` tokens nothing comes for `seconds`, then the rest."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault, for the next `count` requests that are well formed."""

    kind: FaultKind
    count: int = 1
    seconds: float = 2.0
    after_tokens: int = 3

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 0 or self.after_tokens < 0:
            raise ValueError("expected count >= 1, seconds >= 0, after_tokens >= 0")


class FaultSwitch:
    """The faults still to come, in order."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self._next: deque[Fault] = deque()
        self.add(faults)

    def add(self, faults: tuple[Fault, ...]) -> None:
        """Queue faults behind those already there."""
        for fault in faults:
            self._next.extend([fault] * fault.count)

    def clear(self) -> None:
        """Forget all faults still to come."""
        self._next.clear()

    def take(self) -> Fault | None:
        """The fault of the request that is beginning; None: nothing goes wrong."""
        return self._next.popleft() if self._next else None

    def __len__(self) -> int:
        return len(self._next)


def parse_fault(text: str) -> Fault:
    """Read `KIND[:NAME=VALUE,...]`, as in `stall:seconds=5,count=2`; raises ConfigError."""
    kind, _, rest = text.partition(":")
    fields: dict[str, str] = {"kind": kind.strip()}
    for pair in filter(None, rest.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"fault {text!r}: expected NAME=VALUE after the colon, got {pair!r}")
        fields[name.strip()] = value.strip()
    try:
        return msgspec.convert(fields, Fault, strict=False)
    except msgspec.ValidationError as error:
        kinds = ", ".join(FaultKind)
        raise ConfigError(
            f"fault {text!r}: {error}; expected KIND[:NAME=VALUE,...], KIND one of {kinds}"
        ) from None
