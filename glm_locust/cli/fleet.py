"""A Locust master and its workers as child processes that never outlive us."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
WORKERS_GRACE_S = 10.0
"""How long workers may take to leave once the master has."""


class Fleet:
    """One master and its workers on this machine, each with a log in `log_dir`."""

    def __init__(
        self,
        *,
        workers: int,
        users: int,
        options: Sequence[str],
        env: Mapping[str, str],
        log_dir: Path,
        progress_fd: int,
    ) -> None:
        """Start them; `options` are Locust's and ours for the master."""
        port = str(available_port(0))
        locust = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
        master = ["--master", f"--master-bind-host={HOST}", f"--master-bind-port={port}", "--headless"]
        master += [f"--expect-workers={workers}", "--expect-workers-max-wait=60", "--only-summary"]
        master += [f"--users={users}", f"--spawn-rate={min(users, 100)}"]
        worker = ["--worker", f"--master-host={HOST}", f"--master-port={port}"]
        cwd = Path.cwd()
        self.master = Child(
            "master",
            [*locust, *master, *options],
            log=log_dir / "master.log",
            env=env,
            cwd=cwd,
            pass_fds=(progress_fd,),
        )
        self.workers = [
            Child(f"worker-{n}", [*locust, *worker], log=log_dir / f"worker-{n}.log", env=env, cwd=cwd)
            for n in range(1, workers + 1)
        ]

    def broken_worker(self) -> Child | None:
        """A worker that ended by itself with an error."""
        return next((worker for worker in self.workers if worker.exit_code not in {None, 0}), None)

    def interrupt(self) -> None:
        """Ask for the end in order, as Ctrl-C does."""
        if self.master.exit_code is None:
            os.kill(self.master.pid, signal.SIGINT)

    def join(self) -> None:
        """Once the master has ended: give the workers time to leave, then end what is left."""
        deadline = time.monotonic() + WORKERS_GRACE_S
        while (
            self.master.exit_code is not None
            and any(worker.exit_code is None for worker in self.workers)
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        self._end()

    def kill(self) -> None:
        """End everything at once, without a chance to tidy up."""
        for child in [self.master, *self.workers]:
            if child.exit_code is None:
                os.killpg(child.pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        for child in [*self.workers, self.master]:
            child.end()
