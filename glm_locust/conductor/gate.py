"""On a worker: hand each arrival, at its instant, to a user who waits."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import gevent
import gevent.event

from glm_locust.arrivals import Share, Walk
from glm_locust.transport.clock import now_ns

LATEST_NS = 4_000_000_000
"""A worker that stood still for longer counts as gone, and others make what was due: it must not, too."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request is due."""

    index: int
    """In the sequence of the whole run, from 0."""
    scheduled_ns: int


class Gate:
    """Lets users through, one per arrival. An arrival that finds nobody waiting is dropped, never queued.

    So is one that comes to light seconds too late, after the whole process had stood still. Each
    instant is waited for by itself, so that lateness does not add up. Of those who wait the one who
    came last goes first: its connection is the least likely to have gone stale.
    """

    def __init__(
        self,
        walk: Walk,
        start_ns: int,
        *,
        on_drop: Callable[[Arrival], None],
        on_idle: Callable[[], None],
    ) -> None:
        """`on_idle` is called when no arrival of ours is left; neither of the two may block."""
        self._walk = walk
        self._start_ns = start_ns
        self._on_drop = on_drop
        self._on_idle = on_idle
        self._waiting: dict[Hashable, gevent.event.AsyncResult[Arrival | None]] = {}
        self._dealt = gevent.event.Event()
        self._idle = walk.peek() is None
        self._passing = 0
        """Arrivals that were handed to a user who has not gone on yet."""
        self._open = True
        self._greenlet = gevent.spawn(self._work)

    @property
    def idle(self) -> bool:
        """No arrival of ours is left, unless a new split brings some."""
        return self._idle and not self._passing

    @property
    def splits(self) -> int:
        """How many splits of the sequence it has been told of."""
        return self._walk.splits

    def deal(self, shares: Sequence[Share]) -> None:
        """The sequence is split anew: the shares so far, with more behind them."""
        self._walk.deal(shares)
        self._idle = self._walk.peek() is None
        self._dealt.set()

    def wait(self, user: Hashable, patience_s: float | None = None) -> Arrival | None:
        """Wait for an arrival; None after this time, and once the gate is closed."""
        if not self._open:
            return None
        turn = self._waiting[user] = gevent.event.AsyncResult()
        try:
            turn.wait(patience_s)
        except BaseException:
            if (arrival := self._settled(user, turn)) is not None and self._open:
                self._hand_out(arrival)  # the user was stopped on its way through
            raise
        return self._settled(user, turn)

    def close(self) -> None:
        """Let nobody through any more."""
        self._open = False
        self._greenlet.kill(block=False)
        waiting, self._waiting = self._waiting, {}
        for turn in waiting.values():
            turn.set(None)

    def _work(self) -> None:
        while True:
            self._dealt.clear()
            ahead = self._walk.peek()
            if ahead is None:
                self._idle = True
                self._on_idle()
                self._dealt.wait()
                continue
            arrival = Arrival(ahead[0], self._start_ns + ahead[1])
            left_ns = arrival.scheduled_ns - now_ns()
            if left_ns > 0:
                self._dealt.wait(left_ns * 1e-9)
                continue
            self._walk.take()
            if left_ns < -LATEST_NS:
                self._on_drop(arrival)
            else:
                self._hand_out(arrival)

    def _settled(self, user: Hashable, turn: "gevent.event.AsyncResult[Arrival | None]") -> Arrival | None:
        """What came of a user's turn, which is over."""
        if self._waiting.get(user) is turn:
            del self._waiting[user]
        arrival = turn.value if turn.ready() else None
        self._passing -= arrival is not None
        return arrival

    def _hand_out(self, arrival: Arrival) -> None:
        if self._waiting:
            _, turn = self._waiting.popitem()
            self._passing += 1
            turn.set(arrival)
        else:
            self._on_drop(arrival)
