"""On a worker: hand out the tickets of the present block to the users who hold a seat."""

import logging
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import gevent
import gevent.event
import gevent.threadpool

from glm_locust.conductor.messages import ORDER, STATUS, DeskState, Order, Status, pack, unpack
from glm_locust.plan import Ticket
from glm_locust.transport.channel import Channel
from glm_locust.workload.prompt import Prompt

HEARTBEAT_S = 1.0
PREPARING_THREADS = 1
"""More would fight with the event loop for the interpreter; for more speed there are more workers."""
STAGGER_S = 0.01
"""Users begin a block this much apart: all at the same instant they would queue at the server's
door, and the first request of each would measure that queue."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errand:
    """A ticket with its prompt, images encoded."""

    ticket: Ticket
    prompt: Prompt


@dataclass(slots=True)
class _Hand:
    """This worker's share of one block."""

    order: Order
    go: bool = False
    prepared: bool = False
    waiting: deque[Errand] = field(default_factory=deque)
    seated: dict[Hashable, bool] = field(default_factory=dict)
    """Users who may ask, with whether they are ready."""
    begun: set[Hashable] = field(default_factory=set)
    finished: int = 0

    def delay_s(self, user: Hashable) -> float:
        """How long after the start of the block this user is to begin."""
        seat = list(self.seated).index(user)
        return (self.order.place + seat * self.order.workers) * STAGGER_S

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(ticket.path for ticket in self.order.tickets)


class Desk:
    """One per worker process; it serves one run after the other.

    A block starts with seats for some of the users; they open what they need, and once the master
    says go they take tickets until none are left. The others wait, so the number of users who ask
    changes from block to block while Locust's number of users stays.
    """

    def __init__(self, channel: Channel, prepare: Callable[[Ticket], Prompt]) -> None:
        """`prepare` runs in native threads, before the clock of a block starts."""
        self._channel = channel
        self._prepare = prepare
        self._threads = gevent.threadpool.ThreadPool(PREPARING_THREADS)
        self._hand: _Hand | None = None
        self._users: dict[Hashable, None] = {}
        self._out: set[Ticket] = set()
        self._open = True
        self._changed = gevent.event.Event()
        self._seq = 0
        self._told: tuple[object, ...] | None = None
        channel.on(ORDER, self._take_order)
        self._heart = gevent.spawn(self._beat)

    @property
    def state(self) -> DeskState:
        """How far this worker is with its newest block."""
        hand = self._hand
        if hand is None:
            return DeskState.IDLE
        out = {ticket.block for ticket in self._out}
        if hand.go:
            return DeskState.RUNNING if hand.waiting or out else DeskState.DONE
        if not hand.prepared or not all(hand.seated.values()) or out:
            return DeskState.PREPARING
        return DeskState.READY

    def take(
        self,
        user: Hashable,
        get_ready: Callable[[frozenset[str]], None] | None = None,
    ) -> Errand | None:
        """Wait for a ticket; None once the desk is closed.

        A user who is given a seat is asked first to get ready for the paths of the block, in its
        own greenlet and before the clock starts.
        """
        if user not in self._users:
            self._users[user] = None
            self._settle()
        while self._open:
            hand = self._hand
            if hand is None or user not in hand.seated:
                self._changed.wait()
            elif not hand.seated[user]:
                if get_ready is not None:
                    get_ready(hand.paths)
                if user in hand.seated:
                    hand.seated[user] = True
                self._settle()
            elif self.state is DeskState.RUNNING and hand.waiting and user not in hand.begun:
                delay_s = hand.delay_s(user)
                hand.begun.add(user)
                gevent.sleep(delay_s)
            elif self.state is DeskState.RUNNING and hand.waiting:
                errand = hand.waiting.popleft()
                self._out.add(errand.ticket)
                return errand
            else:
                self._changed.wait()
        return None

    def done(self, errand: Errand) -> None:
        """The request of this errand ended, one way or the other."""
        self._out.discard(errand.ticket)
        if self._hand is not None and errand.ticket.block == self._hand.order.block:
            self._hand.finished += 1
        self._settle()

    def leave(self, user: Hashable) -> None:
        """This user is stopped; its seat goes to one who waits."""
        self._users.pop(user, None)
        if self._hand is not None:
            self._hand.seated.pop(user, None)
        self._settle()

    @property
    def is_open(self) -> bool:
        """Whether tickets may still come."""
        return self._open

    def open(self) -> None:
        """Hand out tickets: a run begins."""
        self._open = True

    def close(self) -> None:
        """Hand out nothing more: the run ends. What the users hold is theirs to finish."""
        self._open = False
        self._hand = None
        self._settle()

    def quit(self) -> None:
        """Close and say nothing more."""
        self.close()
        self._heart.kill(block=False)

    def _take_order(self, _worker: str, data: dict[str, Any]) -> None:
        order = unpack(data, Order)
        hand = self._hand
        known = hand is not None and (hand.order.run_id, hand.order.block) == (order.run_id, order.block)
        if hand is not None and known:
            hand.go = hand.go or (order.go and self.state is DeskState.READY)
        elif self._open and not order.go:
            hand = self._hand = _Hand(order)
            self._settle()
            try:
                self._encode(hand)
            finally:
                hand.prepared = True
        self._settle()

    def _encode(self, hand: _Hand) -> None:
        tickets = hand.order.tickets
        for ticket, prompt in zip(tickets, self._threads.imap(self._prompt, tickets), strict=True):
            if prompt is not None:
                hand.waiting.append(Errand(ticket, prompt))

    def _prompt(self, ticket: Ticket) -> Prompt | None:
        try:
            return self._prepare(ticket)
        except Exception:  # noqa: BLE001 - one broken prompt must not stop the block
            _log.exception("no prompt for request %d of the plan", ticket.index)
            return None

    def _settle(self) -> None:
        """Seats filled, the master told, everyone who waits woken to look again."""
        hand = self._hand
        if hand is not None:
            free = (user for user in self._users if user not in hand.seated)
            while len(hand.seated) < hand.order.seats and (user := next(free, None)) is not None:
                hand.seated[user] = False
        now = (self.state, len(self._users), hand and hand.order)
        if now != self._told:
            self._told = now
            self._tell()
        changed, self._changed = self._changed, gevent.event.Event()
        changed.set()

    def _tell(self) -> None:
        self._seq += 1
        hand = self._hand
        status = Status(
            seq=self._seq,
            users=len(self._users),
            run_id=hand.order.run_id if hand else None,
            block=hand.order.block if hand else None,
            state=self.state,
            finished=hand.finished if hand else 0,
        )
        self._channel.send(STATUS, pack(status))

    def _beat(self) -> None:
        while True:
            gevent.sleep(HEARTBEAT_S)
            self._tell()
