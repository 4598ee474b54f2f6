"""LiveRun: the read model of one run while it is on. Bounded in memory, whatever the run does."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from glm_locust.dashboard.cells import MOST_PATHS, SINGLE, Cells, rounded
from glm_locust.dashboard.gauges import Device, Gauges
from glm_locust.dashboard.history import History
from glm_locust.dashboard.labels import Labels
from glm_locust.dashboard.window import WINDOW_S, Window
from glm_locust.metrics import METRICS
from glm_locust.records import Outcome, Phase, RequestRecord
from glm_locust.slo import Goodput, parse

MOST_DEVICES = 16
DRAWN = ("busy", "memory_used", "power", "temperature", "cpu", "requests_running", "requests_waiting")
"""Quantities of devices that are kept over time."""
TABLE_S = 2.0
"""Quantiles of all requests so far are made anew this often while someone looks: they hardly move."""
SLOWER_FROM = 5000
"""From so many answers on, they are made anew only every third time: they move even less, and cost more."""
_NS = 1e9
_FORMULAS = {name: METRICS[name].formula for name in ("send_lag_s", "generator_lag_s", *SINGLE)}


class _Second:
    """What came between two ticks."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.answered = 0
        self.failed = 0
        self.warmup = 0
        self.tokens = 0
        self.started = 0
        """Open loop: requests that had been started before."""


class LiveRun:
    """Takes records as they are admitted and ticks about once a second; a page asks for what is new.

    Times are the master's, in ns: a record stands in the charts where it arrived.
    """

    def __init__(
        self, run_id: str, started_ns: int, slo: Sequence[str] = (), *, table_s: float = TABLE_S
    ) -> None:
        self.run_id = run_id
        self._started_ns = started_ns
        self._objectives = [parse(text) for text in slo]
        self._cells = Cells(self._objectives)
        self._history = History()
        self._path = Labels(MOST_PATHS)
        self._device = Labels(MOST_DEVICES)
        self._ttft: dict[str, Window] = {}
        self._generator_lag, self._send_lag = Window(), Window()
        self._seconds: deque[_Second] = deque([_Second(0.0)])
        self._counts: Counter[str] = Counter()
        self._state = "waiting"
        self._gauges = Gauges()
        self._now_s = 0.0
        self._started_per_s: float | None = None
        self._ended = False
        self._table: list[dict[str, Any]] = []
        self._table_s = table_s
        self._table_at_s = -table_s
        self._table_is_final = False
        self._refreshing: object = None

    def take(self, record: RequestRecord, now_ns: int) -> None:
        """Count one record that arrived at this time."""
        now_s = self._since_start_s(now_ns)
        second = self._seconds[-1]
        if record.phase is not Phase.MEASURE:
            self._counts[record.phase] += 1
            second.warmup += record.phase is Phase.WARMUP
            return
        self._counts[record.outcome] += 1
        values = {name: formula(record) for name, formula in _FORMULAS.items()}
        self._cells.take(record, values)
        for value in values["send_lag_s"]:
            self._send_lag.add(now_s, value)
        for value in values["generator_lag_s"]:
            self._generator_lag.add(now_s, value)
        if record.outcome is Outcome.OK:
            second.answered += 1
            second.tokens += record.output_tokens or 0
            for value in values["ttft_s"]:
                self._window(self._path(record.path)).add(now_s, value)
        else:
            second.failed += record.outcome is Outcome.FAILED

    def tick(self, now_ns: int, gauges: Gauges) -> None:
        """Append a point to the charts."""
        now_s = self._now_s = self._since_start_s(now_ns)
        self._gauges = gauges
        seconds = self._seconds
        while len(seconds) > 1 and seconds[1].since_s <= now_s - WINDOW_S:
            seconds.popleft()
        begin_s = seconds[0].since_s
        span_s = max(now_s - begin_s, 1e-3)
        if any(one.answered or one.failed for one in seconds):
            self._state = Phase.MEASURE.value
        elif any(one.warmup for one in seconds):
            self._state = Phase.WARMUP.value
        point: dict[str, float | None] = {
            "requests_per_s": sum(one.answered for one in seconds) / span_s,
            "failures_per_s": sum(one.failed for one in seconds) / span_s,
            "warmup_per_s": sum(one.warmup for one in seconds) / span_s,
            "tokens_per_s": sum(one.tokens for one in seconds) / span_s,
            "generator_lag_p95_s": self._generator_lag.quantiles((0.95,), now_s)[0],
            "send_lag_p95_s": self._send_lag.quantiles((0.95,), now_s)[0],
            "generator_lag_max_s": gauges.generator_lag_s,
            "worker_cpu_ratio": gauges.worker_cpu_ratio,
            "host_cpu_ratio": gauges.host_cpu_ratio,
        }
        for path, window in self._ttft.items():
            point[f"ttft_p50_s/{path}"], point[f"ttft_p95_s/{path}"] = window.quantiles((0.5, 0.95), now_s)
        for path, count in self._in_flight().items():
            point[f"in_flight/{path}"] = count
        for device in gauges.devices[:MOST_DEVICES]:
            for quantity in DRAWN:
                point[f"{quantity}/{self._device(device.name)}"] = device.readings.get(quantity)
        kept = {name: shown for name, value in point.items() if (shown := rounded(value)) is not None}
        self._history.add({"t": round(now_s, 1), "number": self._history.last + 1, **kept})
        if gauges.arrivals is not None:
            self._started_per_s = (gauges.arrivals.started - seconds[0].started) / span_s
        seconds.append(_Second(now_s))
        seconds[-1].started = gauges.arrivals.started if gauges.arrivals is not None else 0

    def end(self) -> None:
        """All records are here."""
        self._ended = True

    def refresh(self) -> Iterator[None]:
        """Make the table anew if that is due, in short pieces: others may do their work between them."""
        if not self._is_due():
            return
        self._table_at_s = self._now_s
        final = self._ended
        mine = self._refreshing = object()
        table: list[dict[str, Any]] = []
        for rows in self._cells.rows():
            table += rows
            yield
        if self._refreshing is mine:
            self._table, self._table_is_final = table, final

    def snapshot(self, since: int = 0) -> dict[str, Any]:
        """What a page shows, with the points of the charts after number `since`; refreshed if that is due."""
        for _ in self.refresh():
            pass
        gauges, counts = self._gauges, self._counts
        in_flight = self._in_flight_by_row()
        last = self._history.last
        return {
            "run": {
                "id": self.run_id,
                "started_s": self._started_ns / _NS,
                "elapsed_s": round(self._now_s, 1),
                "state": "ended" if self._ended else self._state,
                "goodput": [one.text for one in self._objectives if isinstance(one.measure, Goodput)],
            },
            "counts": {
                "answered": counts[Outcome.OK],
                "failed": counts[Outcome.FAILED],
                "cancelled": counts[Outcome.CANCELLED],
                "warmup": counts[Phase.WARMUP],
            },
            "in_flight": None if gauges.in_flight is None else sum(gauges.in_flight.values()),
            "arrivals": self._arrivals(),
            "rows": [
                {**row, "in_flight": None if in_flight is None else in_flight[row["path"], row["task"]]}
                for row in self._table
            ],
            "devices": [_device_row(device) for device in gauges.devices[:MOST_DEVICES]],
            "since": (since := since if since <= last else 0),
            "points": self._history.since(since),
            "next": last,
        }

    def _arrivals(self) -> dict[str, Any] | None:
        arrivals = self._gauges.arrivals
        if arrivals is None:
            return None
        return {
            "started": arrivals.started,
            "dropped": arrivals.dropped,
            "started_per_s": rounded(self._started_per_s),
            "due_per_s": rounded(arrivals.rate),
        }

    def _in_flight(self) -> dict[str, int]:
        found: dict[str, int] = dict.fromkeys(self._ttft, 0) if self._gauges.in_flight is not None else {}
        for (path, _), count in (self._gauges.in_flight or {}).items():
            label = self._path(path)
            found[label] = found.get(label, 0) + count
        return found

    def _in_flight_by_row(self) -> Counter[tuple[str, str | None]] | None:
        """By path and task, and by path as a whole, task None."""
        if self._gauges.in_flight is None:
            return None
        found: Counter[tuple[str, str | None]] = Counter()
        for kind, count in self._gauges.in_flight.items():
            path, task = self._cells.key(*kind)
            found[path, task] += count
            found[path, None] += count
        return found

    def _is_due(self) -> bool:
        if self._ended:
            return not self._table_is_final
        every_s = self._table_s * (1 if self._counts[Outcome.OK] < SLOWER_FROM else 3)
        return self._now_s - self._table_at_s >= every_s

    def _window(self, path: str) -> Window:
        window = self._ttft.get(path)
        if window is None:
            window = self._ttft[path] = Window()
        return window

    def _since_start_s(self, at_ns: int) -> float:
        return (at_ns - self._started_ns) / _NS


def _device_row(device: Device) -> dict[str, Any]:
    readings = {quantity: rounded(value) for quantity, value in device.readings.items()}
    return {"name": device.name, "model": device.model, "readings": readings}
