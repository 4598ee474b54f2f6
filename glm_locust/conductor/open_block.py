"""On the master: lead the workers through one block of an open loop, whoever of them comes and goes."""

import itertools
import time
from collections.abc import Callable, Iterator

from glm_locust.arrivals import Timetable
from glm_locust.conductor.messages import ORDER, DeskState, Order, pack
from glm_locust.conductor.roster import Roster
from glm_locust.conductor.splits import Splits
from glm_locust.plan import Block
from glm_locust.transport.channel import Channel
from glm_locust.transport.clock import now_ns

GONE_AFTER_S = 4.0
"""The arrivals of a worker that has been silent for this long are given to the others."""

LEAD_NS = 1_000_000_000
"""Workers are told this long before the first arrival that a split is about."""

REPEAT_S = 1.0
"""What a worker has not followed is said again after this time."""

EVERYBODY = 1_000_000
"""Seats: whoever is there has one."""

_PREPARED = (DeskState.READY, DeskState.RUNNING, DeskState.DONE)


class OpenBlock:
    """Deals the arrivals of a block to the workers that are there, and anew whenever these change."""

    def __init__(
        self, channel: Channel, roster: Roster, run_id: str, block: Block, timetable: Timetable
    ) -> None:
        self.notes: list[str] = []
        self._channel = channel
        self._roster = roster
        self._run_id = run_id
        self._block = block
        self._timetable = timetable
        self._splits: Splits | None = None
        self._invited: set[str] = set()
        self._said: dict[str, tuple[int, float]] = {}
        """By worker: the number of the last message, and when it went."""

    def play(self, on_start: Callable[[], None], stopped: Callable[[], bool]) -> bool:
        """Until all arrivals are made, or `stopped`; False where no worker is left to make them."""
        deserted = False
        while not stopped() and not deserted and not self._is_played():
            self._roster.changed.clear()
            active = self._active()
            members = tuple(worker for worker in active if self._can_make(worker))
            deserted = not active
            self._invite(active)
            if self._splits is None and active and len(members) == len(active):
                on_start()
                self._splits = Splits(self._instants(), now_ns() + LEAD_NS, members)
            elif self._splits is not None and members and members != self._splits.workers:
                self._split_anew(self._splits, members)
            if self._splits is not None:
                self._announce(self._splits, members)
            self._roster.changed.wait(REPEAT_S)
        if not stopped():
            self._account()
        return not deserted

    def _instants(self) -> Iterator[int]:
        assert self._block.draw is not None
        return itertools.islice(self._timetable(self._block.draw), len(self._block.tickets) or None)

    def _active(self) -> list[str]:
        """Workers that are there and have users."""
        return sorted(w for w in self._roster.present(GONE_AFTER_S) if self._roster[w].users)

    def _knows_block(self, worker: str) -> bool:
        status = self._roster[worker]
        return (status.run_id, status.block) == (self._run_id, self._block.index)

    def _is_prepared(self, worker: str) -> bool:
        return self._knows_block(worker) and self._roster[worker].state in _PREPARED

    def _can_make(self, worker: str) -> bool:
        """Whether arrivals can be dealt to it; a late user makes none of those who have some fall out."""
        known = self._splits is not None and worker in self._splits.workers
        return self._is_prepared(worker) or (known and self._knows_block(worker))

    def _is_played(self) -> bool:
        splits = self._splits
        return splits is not None and all(
            self._is_prepared(worker)
            and self._roster[worker].state is DeskState.DONE
            and self._roster[worker].splits == len(splits)
            for worker in splits.workers
        )

    def _invite(self, active: list[str]) -> None:
        """Have workers prepare the block that do not know of it."""
        for place, worker in enumerate(active):
            if not self._knows_block(worker):
                self._invited.add(worker)
                order = Order(
                    run_id=self._run_id,
                    block=self._block.index,
                    seats=EVERYBODY,
                    place=place,
                    workers=len(active),
                    tickets=self._block.tickets,
                    draw=self._block.draw,
                )
                self._send(worker, order, 0)

    def _announce(self, splits: Splits, members: tuple[str, ...]) -> None:
        """Tell those of the newest split who do not follow it yet."""
        for worker in members:
            if self._roster[worker].splits != len(splits):
                order = Order(
                    run_id=self._run_id,
                    block=self._block.index,
                    seats=EVERYBODY,
                    go=True,
                    shares=splits.shares(worker),
                    start_ns=splits.start_ns,
                    sent_ns=now_ns(),
                )
                self._send(worker, order, len(splits))

    def _send(self, worker: str, order: Order, number: int) -> None:
        last, at_s = self._said.get(worker, (-1, 0.0))
        if number != last or time.monotonic() - at_s >= REPEAT_S:
            self._said[worker] = number, time.monotonic()
            self._channel.send(ORDER, pack(order), worker)

    def _split_anew(self, splits: Splits, members: tuple[str, ...]) -> None:
        now = now_ns()
        gone_ns = {
            worker: now - int(self._roster.silent_s(worker) * 1e9)
            for worker in splits.workers
            if worker not in members
        }
        missed = splits.change(members, now + LEAD_NS, gone_ns)
        for worker, count in missed.items():
            self.notes.append(
                f"about {count} arrivals were lost with worker {worker} before the others took over its share"
            )

    def _account(self) -> None:
        finished = (self._roster.finished(w, self._run_id, self._block.index) for w in self._invited)
        left = len(self._block.tickets) - sum(finished)
        if left > 0:
            self.notes.append(f"block {self._block.index}: {left} requests were not made")
