"""The one gate through which rows come in and readers look: state, ring and capture in step."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from glm_gpu_exporter.ring import Page, Ring
from glm_gpu_exporter.rows import Row, encoded, numbered
from glm_gpu_exporter.state import State


class Intake:
    """Takes rows from any thread, in the order of their arrival.

    ``instance`` names this life of the exporter: sequence numbers belong to it.
    """

    def __init__(self, state: State, ring: Ring, record: Callable[[bytes], None] | None = None) -> None:
        self.instance = uuid.uuid4().hex
        self._state = state
        self._ring = ring
        self._record = record
        self._changed = threading.Condition()

    def put(self, row: Row) -> None:
        """One more row from a source."""
        self.put_all([(row, encoded(row))])

    def put_all(self, rows: Iterable[tuple[Row, bytes]]) -> None:
        """More rows from a source, each with its encoding."""
        with self._changed:
            now_s = time.monotonic()
            for row, line in rows:
                self._state.apply(row, now_s)
                self._ring.append(numbered(line, self._ring.last_seq + 1), row["t1_ns"])
                if self._record is not None:
                    self._record(line)
            self._changed.notify_all()

    @contextmanager
    def now(self) -> Iterator[tuple[State, float]]:
        """The state, held still, and the monotonic time it is looked at."""
        with self._changed:
            yield self._state, time.monotonic()

    def page_after(self, seq: int, limit: int) -> Page:
        """Rows of the ring by number."""
        with self._changed:
            return self._ring.page_after(seq, limit)

    def page_from(self, time_ns: int, limit: int) -> Page:
        """Rows of the ring by time."""
        with self._changed:
            return self._ring.page_after(self._ring.seq_before(time_ns), limit)

    def wait_for_nvml(self, timeout_s: float) -> Row | None:
        """What NVML has said first; None if nothing in this time."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.nvml is not None, timeout_s)
            return self._state.nvml
