"""On a worker: hand out the tickets of the present block to the users who hold a seat."""

import itertools
import logging
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import gevent
import gevent.event
import gevent.threadpool

from glm_locust.arrivals import Timetable, Walk
from glm_locust.conductor.gate import Arrival, Gate
from glm_locust.conductor.messages import ORDER, STATUS, DeskState, Order, Status, pack, unpack
from glm_locust.plan import Ticket
from glm_locust.records import Phase
from glm_locust.transport.channel import Channel
from glm_locust.transport.clock import now_ns
from glm_locust.workload.prompt import Prompt

HEARTBEAT_S = 1.0
PREPARING_THREADS = 1
"""More would fight with the event loop for the interpreter; for more speed there are more workers."""
STAGGER_S = 0.01
"""Users begin a block this much apart: all at the same instant they would queue at the server's
door, and the first request of each would measure that queue."""
SAME_CLOCK_NS = 1_000_000_000
"""A message of the master's that seems to have taken longer, or less than no time, means that its
clock is another: then the arrivals follow the way of the message instead of the wall clock."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errand:
    """A ticket with its prompt, images encoded."""

    ticket: Ticket
    prompt: Prompt | None
    """None: whoever takes it chooses one."""
    scheduled_ns: int | None = None
    """Open loop: when it is due. None: as soon as somebody takes it."""


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
    prompts: dict[int, Prompt] = field(default_factory=dict)
    """Open loop: by arrival."""
    gate: Gate | None = None
    finished: int = 0

    def delay_s(self, user: Hashable) -> float:
        """How long after the start of the block this user is to begin."""
        seat = list(self.seated).index(user)
        return (self.order.place + seat * self.order.workers) * STAGGER_S

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(ticket.path for ticket in self.order.tickets)

    @property
    def open_loop(self) -> bool:
        return self.order.draw is not None

    @property
    def own_tickets(self) -> list[tuple[int, Ticket]]:
        """Those that are ours unless a worker leaves, with their places."""
        places = range(self.order.place, len(self.order.tickets), self.order.workers)
        return [(place, self.order.tickets[place]) for place in places]

    def ticket_of(self, arrival: Arrival) -> Ticket:
        if self.order.tickets:
            return self.order.tickets[arrival.index]
        return Ticket(arrival.index, self.order.block, "", "", Phase.MEASURE, None, arrival.index)

    def close(self) -> None:
        if self.gate is not None:
            self.gate.close()


class Desk:
    """One per worker process; it serves one run after the other.

    A block starts with seats for some of the users; they open what they need, and once the master
    says go they take tickets until none are left. The others wait, so the number of users who ask
    changes from block to block while Locust's number of users stays.

    In an open loop all users have a seat, and tickets are handed out when they are due, whoever is
    free; one that is due while nobody is free is dropped.
    """

    def __init__(self, channel: Channel, prepare: Callable[[Ticket], Prompt | None]) -> None:
        """`prepare` runs in native threads, before the clock of a block starts.

        For a block without tickets it is called at each arrival and should only look something up.
        """
        self._channel = channel
        self._prepare = prepare
        self._timetable: Timetable | None = None
        self._on_drop: Callable[[], None] = _nothing
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
        if hand.go and hand.gate is not None:
            return DeskState.DONE if hand.gate.idle and not out else DeskState.RUNNING
        if hand.go:
            return DeskState.RUNNING if hand.waiting or out else DeskState.DONE
        if not hand.prepared or not all(hand.seated.values()) or out:
            return DeskState.PREPARING
        return DeskState.READY

    def take(
        self,
        user: Hashable,
        get_ready: Callable[[frozenset[str]], None] | None = None,
        patience_s: float | None = None,
    ) -> Errand | None:
        """Wait for a ticket; None once the desk is closed, and each time patience is at its end.

        A user who is given a seat is asked first to get ready for the paths of the block, in its
        own greenlet and before the clock starts.
        """
        if user not in self._users:
            self._users[user] = None
            self._settle()
        while self._open:
            hand = self._hand
            if hand is None or user not in hand.seated:
                if not self._changed.wait(patience_s):
                    return None
            elif not hand.seated[user]:
                if get_ready is not None:
                    get_ready(hand.paths)
                if user in hand.seated:
                    hand.seated[user] = True
                self._settle()
            elif hand.gate is not None:
                arrival = hand.gate.wait(user, patience_s)
                if arrival is not None and (errand := self._due(hand, arrival)) is not None:
                    return errand
                if arrival is None and patience_s is not None:
                    return None
            elif self.state is DeskState.RUNNING and hand.waiting and user not in hand.begun:
                delay_s = hand.delay_s(user)
                hand.begun.add(user)
                gevent.sleep(delay_s)
            elif self.state is DeskState.RUNNING and hand.waiting:
                errand = hand.waiting.popleft()
                self._out.add(errand.ticket)
                return errand
            elif not self._changed.wait(patience_s):
                return None
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

    def open(self, timetable: Timetable | None = None, on_drop: Callable[[], None] | None = None) -> None:
        """Hand out tickets: a run begins.

        Open loop: when they are due, and who is told, at once, of each that finds nobody free.
        """
        self._open = True
        self._timetable = timetable
        self._on_drop = on_drop or _nothing

    def close(self) -> None:
        """Hand out nothing more: the run ends. What the users hold is theirs to finish."""
        self._open = False
        hand, self._hand = self._hand, None
        if hand is not None:
            hand.close()
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
            if hand.go and order.shares:
                self._follow(hand, order)
        elif self._open and not order.go:
            if hand is not None:
                hand.close()
            hand = self._hand = _Hand(order)
            self._settle()
            try:
                self._encode(hand)
            finally:
                hand.prepared = True
        self._settle()

    def _follow(self, hand: _Hand, order: Order) -> None:
        """Open loop: begin to hand out what is due, or follow a new split of it."""
        if hand.gate is not None:
            if len(order.shares) > hand.gate.splits:
                hand.gate.deal(order.shares)
            return
        timetable, draw = self._timetable, hand.order.draw
        if timetable is None or draw is None:
            return
        count = len(hand.order.tickets) or None
        apart_ns = now_ns() - order.sent_ns
        start_ns = order.start_ns + (apart_ns if not 0 <= apart_ns < SAME_CLOCK_NS else 0)

        def dropped(_: Arrival) -> None:
            hand.finished += 1
            self._on_drop()

        hand.gate = Gate(
            Walk(lambda: itertools.islice(timetable(draw), count), order.shares),
            start_ns,
            on_drop=dropped,
            on_idle=self._settle,
        )

    def _due(self, hand: _Hand, arrival: Arrival) -> Errand | None:
        """The errand of an arrival; None where its prompt is broken."""
        ticket = hand.ticket_of(arrival)
        self._out.add(ticket)
        prompt = hand.prompts.pop(arrival.index, None)
        if prompt is None and hand.order.tickets:
            # It was another worker's until that one left.
            prompt = self._threads.apply(self._prompt, (ticket,))
            if prompt is None:
                self._out.discard(ticket)
                self._settle()
                return None
        elif prompt is None:
            prompt = self._prompt(ticket)
        return Errand(ticket, prompt, arrival.scheduled_ns)

    def _encode(self, hand: _Hand) -> None:
        if hand.open_loop:
            places, own = zip(*hand.own_tickets, strict=True) if hand.own_tickets else ((), ())
            for place, prompt in zip(places, self._threads.imap(self._prompt, own), strict=True):
                if prompt is not None:
                    hand.prompts[place] = prompt
            return
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
        splits = hand.gate.splits if hand is not None and hand.gate is not None else 0
        now = (self.state, len(self._users), hand and hand.order, splits, self._open)
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
            users=len(self._users) if self._open else 0,
            run_id=hand.order.run_id if hand else None,
            block=hand.order.block if hand else None,
            state=self.state,
            finished=hand.finished if hand else 0,
            splits=hand.gate.splits if hand and hand.gate else 0,
        )
        self._channel.send(STATUS, pack(status))

    def _beat(self) -> None:
        while True:
            gevent.sleep(HEARTBEAT_S)
            self._tell()


def _nothing() -> None:
    pass
