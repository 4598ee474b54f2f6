"""What master and workers say to each other about the plan."""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from glm_locust.arrivals import Share
from glm_locust.plan import Ticket

ORDER = "glm_order"
STATUS = "glm_status"


class DeskState(StrEnum):
    """How far a worker is with its newest block; the order of the members is the way it goes."""

    IDLE = "idle"
    PREPARING = "preparing"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Down: prepare this share of a block; with `go`, work it off."""

    run_id: str
    block: int
    seats: int
    """How many users of this worker ask at the same time."""
    place: int = 0
    workers: int = 1
    """Which of how many workers this is: seat k of it is seat place + k * workers of all."""
    tickets: tuple[Ticket, ...] = ()
    """Empty where `go` is set: the worker has them already."""
    go: bool = False
    draw: str | None = None
    """Open loop: the seed of the arrivals. All tickets of the block are here, the k-th is due at the k-th."""
    shares: tuple[Share, ...] = ()
    """With `go`: which arrivals are this worker's; sent again, longer, when the workers change."""
    start_ns: int = 0
    """With `go`: when the arrivals begin to count, by the clock of the master."""
    sent_ns: int = 0
    """With `go`: what that clock said when this was sent."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Up: where a worker is."""

    seq: int
    """Grows with each status of this worker; an older one that comes late is ignored."""
    users: int
    """Users who wait for tickets or work on one."""
    run_id: str | None = None
    block: int | None = None
    state: DeskState = DeskState.IDLE
    finished: int = 0
    """Tickets of the block that were worked off, dropped ones included."""
    splits: int = 0
    """Open loop: how many splits of the arrivals it follows."""


Message = TypeVar("Message", Order, Status)


def pack(message: Order | Status) -> dict[str, Any]:
    """Plain data that msgpack can carry."""
    data: dict[str, Any] = msgspec.to_builtins(message)
    return data


def unpack(data: dict[str, Any], kind: type[Message]) -> Message:
    """The inverse of `pack`; raises msgspec.ValidationError for what is not one."""
    return msgspec.convert(data, kind)
