"""What a worker and its master say to each other in a run; every message names its run."""

from typing import Any, ClassVar, TypeVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Base: plain data that msgpack can carry."""

    KIND: ClassVar[str]
    run_id: str

    def pack(self) -> dict[str, Any]:
        """The message as a dict for `Channel.send`."""
        data: dict[str, Any] = msgspec.to_builtins(self, builtin_types=(bytes,))
        return data


AnyMessage = TypeVar("AnyMessage", bound=Message)


def unpack(kind: type[AnyMessage], data: dict[str, Any]) -> AnyMessage:
    """The inverse of `Message.pack`; raises msgspec.ValidationError for what is not one."""
    return msgspec.convert(data, kind, builtin_types=(bytes,))


class Hello(Message, frozen=True, kw_only=True):
    """Up: this worker takes part; sent again until acknowledged, before its first batch."""

    KIND: ClassVar[str] = "glm_hello"
    facts: dict[str, Any] = {}


class Batch(Message, frozen=True, kw_only=True):
    """Up: whole lines of records, their sequence numbers contiguous from `first_seq`."""

    KIND: ClassVar[str] = "glm_batch"
    first_seq: int
    lines: bytes


class Ack(Message, frozen=True, kw_only=True):
    """Down: every record up to `seq` is in the run."""

    KIND: ClassVar[str] = "glm_ack"
    seq: int
    closed: bool = False
    """Answers `Drained`: the worker may forget the run."""
    full: bool = False
    """The master can write nothing more: keep the rest in the spool and send none of it."""


class Drain(Message, frozen=True, kw_only=True):
    """Down: begin nothing new, let requests end for `timeout_s`, cancel the rest, deliver all."""

    KIND: ClassVar[str] = "glm_drain"
    timeout_s: float


class Drained(Message, frozen=True, kw_only=True):
    """Up: `last_seq` records were made, no other will follow; sent again until acknowledged."""

    KIND: ClassVar[str] = "glm_drained"
    last_seq: int
    facts: dict[str, Any] = {}


class Refusal(Message, frozen=True, kw_only=True):
    """Up: this worker cannot take part; the run must not go on."""

    KIND: ClassVar[str] = "glm_refusal"
    text: str
    """One line for a person."""


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one kind that a worker has begun and not finished."""

    path: str
    task: str
    level: int | None = None
    count: int


class ArrivalCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Open loop: what became of the arrivals of a worker so far."""

    started: int = 0
    dropped: int = 0
    """Nobody was free for them."""


class Pulse(Message, frozen=True, kw_only=True):
    """Up, once a second: how this worker is now. A lost one is not sent again, the next is newer."""

    KIND: ClassVar[str] = "glm_pulse"
    in_flight: tuple[InFlight, ...] = ()
    send_lag_s: float | None = None
    """Largest of the requests sent since the last pulse; None: none was sent."""
    generator_lag_s: float | None = None
    """Largest at the first tokens that came since the last pulse; None: none came with a kernel stamp."""
    cpu_ratio: float | None = None
    """CPU time of the process over time since the last pulse: 1 is a whole core."""
    arrivals: ArrivalCounts | None = None
    """Since the run began; None: closed loop, or none has come."""
