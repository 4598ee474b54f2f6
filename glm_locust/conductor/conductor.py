"""On the master: lead all workers through the plan, block by block."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import gevent

from glm_locust.arrivals import Timetable
from glm_locust.conductor.messages import ORDER, DeskState, Order, pack
from glm_locust.conductor.open_block import OpenBlock
from glm_locust.conductor.roster import Roster
from glm_locust.plan import Block, Share, deal
from glm_locust.transport.channel import Channel

REPEAT_S = 1.0
"""An order that a worker has not followed is sent again after this time."""

LOST_AFTER_S = 10.0
"""A worker without a status for this long is lost, until it sends one again."""

_REACHED = {
    DeskState.READY: (DeskState.READY, DeskState.RUNNING, DeskState.DONE),
    DeskState.DONE: (DeskState.DONE,),
}


@dataclass(slots=True)
class Course:
    """How the plan went."""

    finished: bool = False
    """Every block was played, whatever became of its tickets."""
    deserted: bool = False
    """It broke off because no worker had users any more."""
    blocks: int = 0
    notes: list[str] = field(default_factory=list)
    """What a reader of the run must know: lost workers, levels that were not reached."""


class Conductor:
    """One per master process; it plays one plan at a time."""

    def __init__(
        self,
        channel: Channel,
        on_block: Callable[[Block], None] | None = None,
        lost_after_s: float = LOST_AFTER_S,
    ) -> None:
        """`on_block` is called when the clock of a block starts."""
        self._channel = channel
        self._on_block = on_block
        self._lost_after_s = lost_after_s
        self._roster = Roster(channel)
        self._timetable: Timetable | None = None
        self._stopped = False

    @property
    def users(self) -> int:
        """Users at the desks of all workers that are not lost."""
        return sum(self._roster[worker].users for worker in self._present())

    def play(
        self,
        run_id: str,
        blocks: Iterable[Block],
        users: int,
        gather_s: float = 60.0,
        timetable: Timetable | None = None,
    ) -> Course:
        """Lead the workers through the blocks; returns at their end or after `stop()`.

        Waits up to `gather_s` for `users` to come to the desks, then begins with those who came.
        Blocks of an open loop need the `timetable` that the desks have, too.
        """
        self._stopped = False
        self._timetable = timetable
        course = Course()
        self._wait(lambda: self.users >= users, gather_s)
        for block in blocks:
            if self._stopped:
                return course
            play = self._play if block.draw is None else self._play_open
            if not play(run_id, block, course):
                return course
            course.blocks += not self._stopped
        course.finished = not self._stopped
        return course

    def stop(self) -> None:
        """Begin no other block; `play` returns soon. What the users hold is theirs to finish."""
        self._stopped = True
        self._roster.changed.set()

    def _play(self, run_id: str, block: Block, course: Course) -> bool:
        """False where nobody is left to play the block."""
        shares = self._shares(block, course)
        if not shares:
            course.notes.append(f"block {block.index}: no worker was left to play it")
            course.deserted = True
            return False
        prepare = {
            worker: Order(
                run_id=run_id,
                block=block.index,
                seats=share.level,
                place=place,
                workers=len(shares),
                tickets=share.tickets,
            )
            for place, (worker, share) in enumerate(shares.items())
        }
        self._lead(prepare, DeskState.READY)
        if self._stopped:
            return True
        if self._on_block is not None:
            self._on_block(block)
        go = {
            worker: Order(run_id=run_id, block=block.index, seats=share.level, go=True)
            for worker, share in shares.items()
        }
        self._lead(go, DeskState.DONE)
        for worker, share in shares.items():
            left = len(share.tickets) - self._roster.finished(worker, run_id, block.index)
            if left and not self._stopped:
                course.notes.append(f"block {block.index}: {left} requests were lost with worker {worker}")
        return True

    def _play_open(self, run_id: str, block: Block, course: Course) -> bool:
        """The same in an open loop."""
        assert self._timetable is not None
        open_block = OpenBlock(self._channel, self._roster, run_id, block, self._timetable)

        def begin() -> None:
            if self._on_block is not None:
                self._on_block(block)

        played = open_block.play(begin, lambda: self._stopped)
        course.notes.extend(open_block.notes)
        if not played:
            course.notes.append(f"block {block.index}: no worker was left to play it")
            course.deserted = True
        return played

    def _shares(self, block: Block, course: Course) -> dict[str, Share]:
        """The block, dealt to those who have users; the ones with most users come first."""
        present = self._present()
        workers = sorted(
            (worker for worker in present if self._roster[worker].users),
            key=lambda worker: (-self._roster[worker].users, worker),
        )
        if not workers:
            return {}
        shares = {
            worker: Share(min(share.level, self._roster[worker].users), share.tickets)
            for worker, share in zip(workers, deal(block, len(workers)), strict=True)
            if share.tickets
        }
        seats = sum(share.level for share in shares.values())
        wanted = min(block.level, len(block.tickets))
        if seats < wanted:
            course.notes.append(f"block {block.index}: {seats} users instead of {block.level}")
        return shares

    def _lead(self, orders: dict[str, Order], goal: DeskState) -> None:
        """Repeat orders until everyone still there has reached the goal."""
        while not self._stopped:
            behind = [worker for worker, order in orders.items() if self._is_behind(worker, order, goal)]
            if not behind:
                return
            for worker in behind:
                if not self._follows(worker, orders[worker]):
                    self._channel.send(ORDER, pack(orders[worker]), worker)
            self._wait(
                lambda: not any(self._is_behind(worker, orders[worker], goal) for worker in orders), REPEAT_S
            )

    def _is_behind(self, worker: str, order: Order, goal: DeskState) -> bool:
        if self._is_lost(worker):
            return False
        status = self._roster[worker]
        if (status.run_id, status.block) != (order.run_id, order.block):
            return True
        if not status.users and goal is DeskState.DONE:
            return False  # nobody is left there who could finish it
        return status.state not in _REACHED[goal]

    def _follows(self, worker: str, order: Order) -> bool:
        """It is on its way: nothing to repeat."""
        status = self._roster[worker]
        if (status.run_id, status.block) != (order.run_id, order.block):
            return False
        return status.state is DeskState.RUNNING if order.go else True

    def _is_lost(self, worker: str) -> bool:
        return self._roster.silent_s(worker) > self._lost_after_s

    def _present(self) -> list[str]:
        return self._roster.present(self._lost_after_s)

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Until the condition holds, `stop()`, or the time is up."""
        with gevent.Timeout(timeout_s, False):
            while not condition() and not self._stopped:
                self._roster.changed.clear()
                self._roster.changed.wait()
