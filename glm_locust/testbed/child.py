"""A server of the testbed as a child process: started tied to us, watched, ended for certain."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from glm_locust.errors import GlmLocustError
from glm_locust.testbed import tether

_TAIL_LINES = 25
_GRACE_S = 5.0
_POLL_S = 0.05


class TestbedError(GlmLocustError):
    """A server of the testbed did not start or ended early; below the first line comes its log's tail."""

    __test__ = False


class Child:
    """One server: its process, its own process group, its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path,
        pass_fds: Sequence[int] = (),
        has_children: bool = False,
    ) -> None:
        """`has_children`: it starts processes that would outlive it if it were killed."""
        self.name = name
        self.log = log
        # The child leads a session of its own: Ctrl-C at our terminal reaches us, and we end it.
        group = ["--group"] if has_children else []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", tether.__file__, *group, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id; it is the process group's id too."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join(f"  {self.name} | {line}" for line in lines)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `ready()`; raises TestbedError where the child ends first or the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.exit_code is not None:
                raise TestbedError(f"{self.name} ended with code {self.exit_code}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise TestbedError(f"{self.name} was not ready after {seconds:g} s:\n{self.tail()}")
            time.sleep(_POLL_S)

    def ask_to_end(self) -> None:
        """Tell the process group to end."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Give the server a moment to end by itself, then kill what is left of its process group."""
        self.ask_to_end()
        deadline = time.monotonic() + _GRACE_S
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return
