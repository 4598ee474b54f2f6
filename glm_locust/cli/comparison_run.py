"""One comparison as `glm-locust compare` runs it: testbed, Locust, progress, signals, what is left."""

import contextlib
import os
import select
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import msgspec

from glm_locust.cli.exporter import TestbedExporter
from glm_locust.cli.fleet import Fleet
from glm_locust.cli.progress_line import ProgressLine
from glm_locust.cli.results import print_results
from glm_locust.conductor.progress import PRESET_ENV, PROGRESS_FD, TRUTH_FILE, TRUTH_LOG, Progress
from glm_locust.config.scenario import Scenario
from glm_locust.errors import ConfigError, ExitCode
from glm_locust.run import COMMAND_ENV
from glm_locust.testbed import ENGINE_NOTE, PRESET_NOTE, Engine, Testbed, TestbedError

TOKEN_ENV = "GLM_LOCUST_TESTBED_TOKEN"  # noqa: S105 - the name of a variable
_POLL_S = 0.1
_SAID = "glm-locust: "
"""How lines for the person at the terminal begin, among those of Locust."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line."""

    scenario: Scenario
    workers: int
    preset: str
    engine: Engine | None
    """In place of the testbed's simulated model."""
    options: tuple[str, ...]
    """The scenario's words as Locust is to be told them."""
    run_time: str | None


class ComparisonRun:
    """Runs one comparison; leaving its `with` block ends whatever is still running."""

    def __init__(self, order: Order, workdir: Path) -> None:
        """`workdir` is an empty directory on the disk of the runs; it is gone at the end."""
        self._order = order
        self._workdir = workdir
        self._line = ProgressLine(sys.stderr)
        self._fleet: Fleet | None = None
        self._run_dir: Path | None = None
        self._interrupts = 0
        self._handlers: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fleet is not None:
            self._fleet.kill()
        self._keep_logs()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal gave us

    def play(self) -> int:
        """All of it; returns the exit code."""
        if self._order.scenario.targets:
            return self._measure([], {})
        with self._testbed() as testbed, self._samples(testbed) as samples:
            targets = {
                "api": testbed.api_url,
                "web": testbed.web_url,
                "web-jupyter": testbed.web_jupyter_url,
                "jupyter-token-env": TOKEN_ENV,
            }
            env = {TOKEN_ENV: testbed.jupyter_token}
            if self._order.engine is None:
                env |= {TRUTH_LOG: str(testbed.truth_log), PRESET_ENV: self._order.preset}
            return self._measure(
                [*samples, *(f"--glm-{word}={value}" for word, value in targets.items())], env
            )

    def _testbed(self) -> Testbed:
        """Say what is started, and what its figures are worth."""
        order = self._order
        lang = order.scenario.lang
        if order.engine is not None:
            self._line.say(f"Starting the testbed: {order.engine.name}, Streamlit page, Jupyter proxy.")
            self._line.say(ENGINE_NOTE[lang])
            return Testbed(engine=order.engine)
        self._line.say(
            f"Starting the testbed, preset {order.preset}: model server, Streamlit page, Jupyter proxy."
        )
        self._line.say(PRESET_NOTE[lang])
        truth_log = (self._workdir / TRUTH_FILE).resolve()
        return Testbed(preset=order.preset, seed=order.scenario.seed, truth_log=truth_log)

    @contextlib.contextmanager
    def _samples(self, testbed: Testbed) -> Iterator[list[str]]:
        """What to sample of the testbed, as options: its engine, and by an exporter its host."""
        scenario = self._order.scenario
        has_metrics = self._order.engine is None or self._order.engine.has_metrics
        ours = has_metrics and not scenario.metrics
        options = [f"--glm-metrics={testbed.api_url}/metrics"] if ours else []
        with contextlib.ExitStack() as stack:
            if not scenario.exporter:
                try:
                    exporter = stack.enter_context(TestbedExporter(testbed, self._workdir))
                except (ConfigError, TestbedError) as error:
                    self._line.say(f"No samples of the host: {str(error).splitlines()[0]}")
                else:
                    self._line.say(f"Sampling with glm-gpu-exporter: {exporter.state}.")
                    options.append(f"--glm-exporter={exporter.url}")
            yield options

    def _measure(self, options: list[str], env: Mapping[str, str]) -> int:
        order = self._order
        options = [*order.options, f"--glm-seed={order.scenario.seed}", *options]
        if order.run_time is not None:
            options.append(f"--run-time={order.run_time}")
        read_fd, write_fd = os.pipe()
        try:
            self._fleet = Fleet(
                workers=order.workers,
                users=order.scenario.users,
                options=options,
                env={
                    **os.environ,
                    **env,
                    PROGRESS_FD: str(write_fd),
                    COMMAND_ENV: msgspec.json.encode(sys.argv).decode(),
                },
                log_dir=self._workdir,
                progress_fd=write_fd,
            )
        finally:
            os.close(write_fd)
        with contextlib.closing(_Pipe(read_fd)) as pipe:
            code = self._watch(self._fleet, pipe)
        self._line.clear()
        self._tell(code, self._fleet)
        return code

    def _watch(self, fleet: Fleet, pipe: "_Pipe") -> int:
        """Show progress until the master has ended; returns the exit code."""
        heeded = 0
        while (code := fleet.master.exit_code) is None:
            if self._interrupts > heeded:
                heeded = self._interrupts
                if heeded > 1:
                    fleet.kill()
                    return ExitCode.INTERRUPTED
                fleet.interrupt()
                self._line.say("Ending: waiting for requests in flight. Ctrl-C again ends at once.")
            for line in pipe.lines(_POLL_S):
                self._take(line)
            if self._run_dir is None and fleet.broken_worker() is not None:
                break
        for line in pipe.lines(0):
            self._take(line)
        if self._run_dir is None:
            fleet.kill()  # workers would wait for a master that is never to come
            return code if code in {ExitCode.USAGE, ExitCode.INTERRUPTED} else ExitCode.CRASH
        fleet.join()
        return code if code is not None and code >= 0 else ExitCode.CRASH

    def _take(self, line: bytes) -> None:
        progress = msgspec.json.decode(line, type=Progress)
        self._run_dir = Path(progress.run_dir)
        self._line.show(progress)

    def _tell(self, code: int, fleet: Fleet) -> None:
        """What a person wants to know at the end."""
        for line in fleet.master.log.read_text(errors="replace").splitlines():
            if line.startswith(_SAID):
                print(line, file=sys.stderr)
        broken = fleet.broken_worker()
        if code == ExitCode.CRASH:
            tails = [child.tail() for child in (fleet.master, broken) if child is not None]
            print(*tails, sep="\n", file=sys.stderr)
        if self._run_dir is not None:
            print_results(self._run_dir, sys.stdout)

    def _keep_logs(self) -> None:
        """Move what the processes wrote to the run, if there was one."""
        if self._run_dir is not None and self._run_dir.is_dir():
            logs = self._run_dir / "logs"
            logs.mkdir(exist_ok=True)
            for log in self._workdir.glob("*.log"):
                shutil.move(log, logs / log.name)
        shutil.rmtree(self._workdir, ignore_errors=True)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1
        if self._fleet is None:
            raise KeyboardInterrupt


class _Pipe:
    """The reading end of a pipe, as lines."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._rest = b""
        self._ended = False
        os.set_blocking(fd, False)

    def lines(self, timeout_s: float) -> Iterator[bytes]:
        """The whole lines that are there, or that come in this time."""
        select.select([] if self._ended else [self._fd], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._fd, 1 << 16):
                self._rest += data
            self._ended = True
        *lines, self._rest = self._rest.split(b"\n")
        yield from lines

    def close(self) -> None:
        os.close(self._fd)
