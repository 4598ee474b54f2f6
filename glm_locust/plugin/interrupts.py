"""Signals: the first Ctrl-C ends the run in order, the second one ends the waiting."""

import signal
from collections.abc import Callable

import gevent
import gevent.hub


class Interrupts:
    """Counts SIGINT and hands it to the main greenlet only; remembers SIGTERM.

    Python would raise KeyboardInterrupt in whatever greenlet happens to run, a user's in the
    middle of a request included: that request would be lost.
    """

    def __init__(self, hurry: Callable[[], bool]) -> None:
        """`hurry` is called from the second one on; False: there was nothing to hurry."""
        self.count = 0
        self.terminated = False
        """SIGTERM came; Locust acts on it."""
        self._hurry = hurry
        gevent.signal_handler(signal.SIGTERM, self._note)
        # Where SIGINT is ignored (a background job of a shell) or someone else's, it stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            gevent.signal_handler(signal.SIGINT, self._take)

    def since_now(self) -> Callable[[], str | None]:
        """Tells later whether a signal came in the meantime: interrupted, stopped or None."""
        count = self.count

        def ended_by() -> str | None:
            if self.count > count:
                return "interrupted"
            return "stopped" if self.terminated else None

        return ended_by

    def _note(self) -> None:
        self.terminated = True

    def _take(self) -> None:
        self.count += 1
        if self.count == 2 and self._hurry():
            return
        gevent.hub.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
