"""Ctrl-C: the first one ends the run in order, the second one ends the waiting."""

import signal
from collections.abc import Callable

import gevent
import gevent.hub


class Interrupts:
    """Counts SIGINT and hands it to the main greenlet only.

    Python would raise KeyboardInterrupt in whatever greenlet happens to run, a user's in the
    middle of a request included: that request would be lost.
    """

    def __init__(self, hurry: Callable[[], bool]) -> None:
        """`hurry` is called from the second one on; False: there was nothing to hurry."""
        self.count = 0
        self._hurry = hurry
        # Where SIGINT is ignored (a background job of a shell) or someone else's, it stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            gevent.signal_handler(signal.SIGINT, self._take)

    def since_now(self) -> Callable[[], bool]:
        """Tells later whether one came in the meantime."""
        count = self.count
        return lambda: self.count > count

    def _take(self) -> None:
        self.count += 1
        if self.count == 2 and self._hurry():
            return
        gevent.hub.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
