"""How far a comparison is: told by the master as JSON lines on a pipe, shown by `glm-locust compare`."""

import os
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable

import msgspec

from glm_locust.metrics import METRICS
from glm_locust.plan import Block
from glm_locust.records import Outcome, RequestRecord

PROGRESS_FD = "GLM_LOCUST_PROGRESS_FD"
"""Environment variable with the number of an inherited descriptor to write progress to."""

TRUTH_LOG = "GLM_LOCUST_TRUTH_LOG"
"""Environment variable with the path of a testbed's truth log, to become part of the run."""
TRUTH_FILE = "truth.jsonl"
"""Its name there."""
PRESET_ENV = "GLM_LOCUST_TESTBED_PRESET"
"""Environment variable with the preset of that testbed."""

RECENT = 20
"""Requests of one path over which the present TTFT is the median."""

EVERY_S = 0.2


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the comparison."""

    run_dir: str
    total: int | None = None
    """Requests of the whole plan; None: it ends by time."""
    done: int = 0
    failed: int = 0
    dropped: int = 0
    """Open loop: requests for which nobody was free."""
    phase: str = ""
    level: int | None = None
    paths: tuple[str, ...] = ()
    """Of the present block."""
    path: str = ""
    """Of the newest request, with its task."""
    task: str = ""
    ttft_p50_s: float | None = None
    """Over the newest requests of `path`."""


class ProgressPipe:
    """Writes the state to a pipe, at most every `EVERY_S`; a reader that is gone is no error."""

    def __init__(
        self, fd: int, run_dir: str, total: int | None, dropped: Callable[[], int] = lambda: 0
    ) -> None:
        """`dropped` says how many requests were dropped so far."""
        self._fd: int | None = fd
        self._dropped = dropped
        self._progress = Progress(run_dir=run_dir, total=total)
        self._counts: Counter[Outcome] = Counter()
        self._ttft_s: dict[str, deque[float]] = {}
        self._written_s = 0.0
        os.set_blocking(fd, False)
        self.write()

    def block(self, block: Block) -> None:
        """The clock of a block started."""
        self._progress = msgspec.structs.replace(
            self._progress, phase=block.phase.value, level=block.level, paths=block.paths
        )
        self.write()

    def accept(self, record: RequestRecord) -> None:
        """A sink of the run: count one record."""
        self._counts[record.outcome] += 1
        recent = self._ttft_s.setdefault(record.path, deque(maxlen=RECENT))
        recent.extend(METRICS["ttft_s"].formula(record))
        self._progress = msgspec.structs.replace(
            self._progress,
            done=self._counts.total(),
            failed=self._counts[Outcome.FAILED],
            path=record.path,
            task=record.task,
            ttft_p50_s=statistics.median(recent) if recent else None,
        )
        if time.monotonic() - self._written_s >= EVERY_S or self._progress.done == self._progress.total:
            self.write()

    def write(self) -> None:
        """Write the state now."""
        if self._fd is None:
            return
        self._written_s = time.monotonic()
        self._progress = msgspec.structs.replace(self._progress, dropped=self._dropped())
        try:
            os.write(self._fd, msgspec.json.encode(self._progress) + b"\n")
        except BlockingIOError:
            return
        except OSError:
            self._fd = None
