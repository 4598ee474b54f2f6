"""`glm-locust compare` as a child process, watched from outside."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from glm_locust.testbed import Testbed
from tests.plugin.team import ROOT, until

DEADLINE_S = 120.0


class Command:
    """One run of the command in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.out = directory / "runs"
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Begin `glm-locust compare` with runs in `out`, unless the options say otherwise."""
        command = [sys.executable, "-m", "glm_locust", "compare", f"--out={self.out}", *options]
        with (self.directory / "out").open("wb") as out, (self.directory / "err").open("wb") as err:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.directory,
                env=self.environment,
                start_new_session=True,
            )

    def run(self, *options: str) -> int:
        """Run it to its end and return the exit code."""
        self.start(*options)
        return self.code()

    def against(self, testbed: Testbed) -> tuple[str, ...]:
        """The options that name all three paths of the testbed."""
        self.environment["TOKEN_OF_THE_TESTS"] = testbed.jupyter_token
        assert testbed.web_url is not None
        assert testbed.web_jupyter_url is not None
        return (
            f"--api={testbed.api_url}",
            f"--web={testbed.web_url}",
            f"--web-jupyter={testbed.web_jupyter_url}",
            "--jupyter-token-env=TOKEN_OF_THE_TESTS",
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def descendants(self) -> list[psutil.Process]:
        """All processes that it has started and that run."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def code(self) -> int:
        """Wait for its end."""
        return self.process.wait(DEADLINE_S)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_for(self, condition: object, what: str) -> None:
        assert callable(condition)
        until(lambda: condition() or self.process.poll() is not None, what, DEADLINE_S)
        assert self.process.poll() is None, f"it ended while the test waited for {what}: {self.said}"

    @property
    def said(self) -> str:
        """Its standard error."""
        return (self.directory / "err").read_text()

    @property
    def printed(self) -> str:
        """Its standard output."""
        return (self.directory / "out").read_text()

    @property
    def run_dirs(self) -> list[Path]:
        return sorted(self.out.glob("*-*-*"))

    def end(self) -> None:
        """End it if it still runs; what it started ends with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
