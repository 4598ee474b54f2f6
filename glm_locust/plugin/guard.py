"""An exception of ours is one logged line and exit code 2, never a lost run."""

import functools
import logging
import sys
from collections.abc import Callable
from typing import ParamSpec

from glm_locust.errors import ExitCode, one_line

_log = logging.getLogger("glm_locust")
P = ParamSpec("P")


class Guard:
    """Wraps what others call of ours and remembers whether any of it failed."""

    def __init__(self) -> None:
        self.failed = False

    def __call__(self, function: Callable[P, object]) -> Callable[P, None]:
        """The function, its Exceptions kept from the caller; exits and interrupts pass."""

        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - see the module's first line
                self.failed = True
                name = getattr(function, "__qualname__", repr(function))
                _log.error("glm_locust: %s failed: %s: %s", name, type(error).__name__, one_line(str(error)))
                _log.debug("glm_locust: where that was", exc_info=True)

        return guarded


def say(text: str) -> None:
    """One line for the person at the terminal, whatever the log level."""
    sys.stderr.write(f"glm-locust: {text}\n")
    sys.stderr.flush()


def exit_for_usage(text: str) -> None:
    """Say what is wrong with what the user gave, and end the process."""
    say(text)
    sys.exit(ExitCode.USAGE)
