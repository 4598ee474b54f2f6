"""The process that fetches samples while a run goes on, so that no parsing stalls the generator.

`python -m glm_locust.samples.fetch` reads one JSON order from its standard input and works until
that closes (its parent ended or is done with it). Then it fetches once more, writes what a reader of
the run must know to its standard output, a line each, and ends.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec

from glm_locust.correlate.probes import Offset
from glm_locust.errors import one_line
from glm_locust.samples.exposition import plain_values
from glm_locust.samples.newest import Newest
from glm_locust.samples.probing import ROUND_PERIOD_S, ClockProbe
from glm_locust.samples.sources import AUTH_VARIABLE, basic_auth_header, client, tls_context
from glm_locust.samples.store import (
    FETCHER,
    Clock,
    Gap,
    Rows,
    SampleLine,
    SampleWriter,
    Scrape,
    Source,
    free_samples_path,
)

EXPORTER_PERIOD_S = 1.0
METRICS_PERIOD_S = 0.5
REQUEST_TIMEOUT_S = 3.0
RETRY_MAX_S = 10.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch, and where to put it."""

    run_dir: str
    since_ns: int
    """How far back an exporter's rows are wanted."""
    exporters: dict[str, str] = {}
    """Source name -> base URL of a glm-gpu-exporter."""
    metrics: dict[str, str] = {}
    """Source name -> URL of a Prometheus endpoint."""
    host: str = ""
    """Name of this host, whose clock stamps the scrapes."""
    ca: str | None = None


class _Notebook:
    """The one writer that all fetching threads share."""

    def __init__(self, run_dir: Path) -> None:
        self._writer = SampleWriter(free_samples_path(run_dir))
        self._newest = Newest(run_dir)
        self._lock = threading.Lock()

    def write(self, line: SampleLine) -> None:
        with self._lock:
            self._writer.write(line)
            self._writer.flush()
            with contextlib.suppress(OSError):  # for those who look on; the samples are what counts
                self._newest.take(line, time.time_ns())

    def close(self) -> None:
        with self._lock:
            self._writer.close()
            self._newest.remove()


class ExporterSource:
    """Pages through an exporter's rows, from the start of the run on."""

    period_s = EXPORTER_PERIOD_S

    def __init__(self, http: httpx.Client, name: str, url: str, since_ns: int) -> None:
        self._http = http
        self._name = name
        self._url = url + "/v1/samples"
        self._since = f"@{since_ns / 1e9:.6f}"
        self._instance = ""
        self.lost = 0

    def fetch(self, write: Callable[[SampleLine], None]) -> None:
        """Fetch all rows that are new; raises httpx.HTTPError or ValueError where that fails."""
        more = True
        while more:
            answer = self._http.get(self._url, params={"since": self._since})
            answer.raise_for_status()
            head, *rows = [msgspec.json.decode(line) for line in answer.content.splitlines()]
            if self._instance and head["instance"] != self._instance:
                # The exporter was started anew and counts from 1 again.
                self._instance, self._since = head["instance"], "0"
                continue
            self._instance, self._since, more = head["instance"], str(head["next"]), bool(head["more"])
            self.lost += head["lost"]
            if rows or head["lost"]:
                write(
                    Rows(
                        source=self._name,
                        instance=head["instance"],
                        gpus=head.get("gpus", {}),
                        lost=head["lost"],
                        rows=tuple(rows),
                    )
                )


class MetricsSource:
    """Scrapes a Prometheus endpoint: gauges and counters as they stand."""

    period_s = METRICS_PERIOD_S
    lost = 0

    def __init__(self, http: httpx.Client, name: str, url: str) -> None:
        self._http = http
        self._name = name
        self._url = url

    def fetch(self, write: Callable[[SampleLine], None]) -> None:
        """One scrape; raises httpx.HTTPError or ValueError where it fails."""
        t0_ns = time.time_ns()
        answer = self._http.get(self._url)
        t1_ns = time.time_ns()
        answer.raise_for_status()
        write(Scrape(source=self._name, t0_ns=t0_ns, t1_ns=t1_ns, values=plain_values(answer.text)))


class Follower(threading.Thread):
    """Asks one source until told to stop, then once more; one that fails is asked ever less often."""

    def __init__(
        self, source: ExporterSource | MetricsSource, name: str, notebook: _Notebook, stop: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._source = source
        self._notebook = notebook
        self._stopping = stop
        self._failing_since_s: float | None = None
        self._failed_s = 0.0
        self._why = ""

    def run(self) -> None:
        """Follow the source."""
        pause_s = self._source.period_s
        last = False
        while True:
            try:
                self._source.fetch(self._notebook.write)
                pause_s = self._source.period_s
                self._answered()
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                self._missed(one_line(str(error) or type(error).__name__, 200))
                pause_s = min(pause_s * 2, RETRY_MAX_S)
            if last:
                self._answered()
                return
            # The answer to a request that was under way may lack the last samples: one more follows.
            last = self._stopping.wait(pause_s)

    def notes(self) -> Iterable[str]:
        """What a reader of the run must know."""
        if self._failed_s:
            yield f"samples: {self.name} could not be read for {self._failed_s:.0f} s: {self._why}"
        if self._source.lost:
            yield f"samples: {self._source.lost} rows of {self.name} were gone before they were fetched"

    def _answered(self) -> None:
        if self._failing_since_s is not None:
            self._failed_s += max(1.0, time.monotonic() - self._failing_since_s)
            self._failing_since_s = None

    def _missed(self, why: str) -> None:
        if self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
            self._why = why
            self._notebook.write(Gap(source=self.name, at_ns=time.time_ns(), why=why))


class ClockWatch(threading.Thread):
    """Compares this host's clock, which stamps the scrapes, with the exporters' clocks."""

    def __init__(self, exporters: dict[str, ClockProbe], notebook: _Notebook, stop: threading.Event) -> None:
        super().__init__(name="clocks", daemon=True)
        self._exporters = exporters
        self._notebook = notebook
        self._stopping = stop

    def run(self) -> None:
        """One round at once, one a minute, one at the end."""
        last = False
        while True:
            for name, probe in self._exporters.items():
                try:
                    offset = probe.round()
                except (OSError, ValueError):
                    continue  # the follower of this source says so
                self._notebook.write(clock_line(name, FETCHER, offset))
            if last:
                return
            last = self._stopping.wait(ROUND_PERIOD_S)


def clock_line(source: str, worker: str, offset: Offset) -> Clock:
    """One round of probes as it is kept."""
    return Clock(
        source=source,
        worker=worker,
        at_ns=offset.at_ns,
        offset_ns=offset.offset_ns,
        bound_ns=offset.bound_ns,
        stepped=offset.stepped,
    )


def fetch(order: Order, stop: threading.Event) -> list[str]:
    """Carry out the order until `stop` is set and everything is written; returns notes for the run."""
    notebook = _Notebook(Path(order.run_dir))
    auth = os.environ.get(AUTH_VARIABLE)
    header = None if auth is None else basic_auth_header(auth)
    tls = tls_context(order.ca)
    with client(auth, order.ca, REQUEST_TIMEOUT_S) as http:
        followers = []
        for name, url in order.exporters.items():
            host = urlsplit(url).hostname or ""
            notebook.write(Source(source=name, kind="exporter", url=url, host=host))
            source = ExporterSource(http, name, url, order.since_ns)
            followers.append(Follower(source, name, notebook, stop))
        for name, url in order.metrics.items():
            notebook.write(Source(source=name, kind="metrics", url=url, host=order.host))
            followers.append(Follower(MetricsSource(http, name, url), name, notebook, stop))
        probes = {
            name: ClockProbe(url, time.time_ns, authorization=header, tls=tls)
            for name, url in order.exporters.items()
        }
        threads = [*followers, ClockWatch(probes, notebook, stop)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    notebook.close()
    return [note for follower in followers for note in follower.notes()]


def main() -> int:
    """Read the order, work until standard input closes."""
    # The terminal's Ctrl-C is for the load test, which closes our input when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)

    def await_end() -> None:
        # Not through the buffer: at the interpreter's end its lock must be free.
        while os.read(sys.stdin.fileno(), 1024):
            continue
        stop.set()

    threading.Thread(target=await_end, daemon=True).start()
    for note in fetch(order, stop):
        sys.stdout.write(f"{note}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
