"""Deadlines end a wait on time, move at no cost and leave nothing behind."""

import gevent
import pytest
from gevent.event import Event

from glm_locust.transport.clock import now_ns
from glm_locust.transport.deadline import Deadline, Overdue

MS = 1_000_000


def wait_busily(until_ns: int) -> None:
    """Switch between greenlets all the time, as one who reads a trickle does."""
    while now_ns() < until_ns:
        gevent.idle()


def test_a_wait_ends() -> None:
    due = now_ns() + 20 * MS
    with pytest.raises(Overdue), Deadline(lambda: due):
        Event().wait()
    assert now_ns() >= due


def test_so_does_a_wait_of_many_short_ones() -> None:
    due = now_ns() + 20 * MS
    with pytest.raises(Overdue), Deadline(lambda: due):
        wait_busily(due + 10_000 * MS)


def test_a_deadline_that_moved_away_is_not_missed_and_not_early() -> None:
    due = [now_ns() + 10 * MS]

    def move() -> None:
        due[0] += 30 * MS

    gevent.spawn(move)
    with pytest.raises(Overdue), Deadline(lambda: due[0]):
        Event().wait()
    assert now_ns() >= due[0]


def test_a_deadline_that_moved_up_is_told() -> None:
    due = [now_ns() + 10_000 * MS]

    def move_up_and_wait(deadline: Deadline) -> None:
        due[0] = now_ns() + 10 * MS
        deadline.moved_up()
        Event().wait()

    with pytest.raises(Overdue), Deadline(lambda: due[0]) as deadline:
        move_up_and_wait(deadline)
    assert now_ns() < due[0] + 5_000 * MS


def test_afterwards_nothing_is_thrown() -> None:
    due = now_ns() + 5 * MS
    with Deadline(lambda: due):
        pass
    wait_busily(due + 20 * MS)


def test_each_greenlet_has_its_own() -> None:
    def one(ms: int) -> str:
        due = now_ns() + ms * MS
        try:
            with Deadline(lambda: due):
                Event().wait(0.1)
        except Overdue:
            return "overdue"
        return "waited"

    jobs = [gevent.spawn(one, ms) for ms in (5, 10_000)]
    gevent.joinall(jobs)
    assert [job.value for job in jobs] == ["overdue", "waited"]
