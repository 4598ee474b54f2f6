"""Deadline: ends what a greenlet waits for, however busily its server trickles bytes."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import gevent

from glm_locust.transport.clock import now_ns


class Overdue(BaseException):
    """The deadline passed; thrown into the greenlet that waits."""


class Deadline:
    """Throws Overdue into the greenlet that entered it once `now >= due()`.

    `due` returns an instant in ns. It may move later at any time at no cost: it is looked at only
    when the timer fires. After it has moved *earlier*, call `moved_up`.
    """

    def __init__(self, due: Callable[[], int]) -> None:
        self._due = due
        self._greenlet: Any = None
        self._timer: Any = None

    def __enter__(self) -> Self:
        self._greenlet = gevent.getcurrent()
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.close()
        self._greenlet = None

    def moved_up(self) -> None:
        """The deadline is now earlier than it was."""
        self._timer.close()
        self._start()

    def _start(self) -> None:
        seconds = max(0, self._due() - now_ns()) / 1e9
        self._timer = gevent.get_hub().loop.timer(seconds)
        self._timer.start(self._fire)

    def _fire(self) -> None:
        if now_ns() < self._due():
            self.moved_up()
        elif self._greenlet is not None:
            self._greenlet.throw(Overdue())


def overdue_line(late: str, limit_s: float, name: str) -> str:
    """What did not happen in time, and which of the deadlines says so."""
    return f"{late} within {limit_s:g} s (deadline {name})"
