"""The process that fetches samples while a run goes on, so that no parsing stalls the generator.

`python -m glm_locust.samples.fetch` reads one JSON order from its standard input and works until
that closes (its parent ended or is done with it); then it fetches once more and ends.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from glm_locust.samples.store import SAMPLES_NAME, Gap, Rows, SampleLine, SampleWriter, Scrape, Source

EXPORTER_PERIOD_S = 1.0
METRICS_PERIOD_S = 0.5
REQUEST_TIMEOUT_S = 3.0
RETRY_MAX_S = 10.0
MOST_SERIES = 500
"""Series kept of one endpoint; more are somebody's per-client labels, not the state of an engine."""

AUTH_VARIABLE = "GLM_SAMPLES_AUTH"
"""`user:password` for basic auth of all sources, in the fetcher's environment only."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch, and where to put it."""

    run_dir: str
    exporters: dict[str, str] = {}
    """Source name -> base URL of a glm-gpu-exporter."""
    metrics: dict[str, str] = {}
    """Source name -> URL of a Prometheus endpoint."""
    host: str = ""
    ca: str | None = None


class _Notebook:
    """The one writer that all fetching threads share."""

    def __init__(self, path: Path) -> None:
        self._writer = SampleWriter(path)
        self._lock = threading.Lock()

    def write(self, line: SampleLine) -> None:
        with self._lock:
            self._writer.write(line)
            self._writer.flush()

    def close(self) -> None:
        with self._lock:
            self._writer.close()


class ExporterSource:
    """Pages through an exporter's rows, from the start of the run on."""

    period_s = EXPORTER_PERIOD_S

    def __init__(self, client: httpx.Client, name: str, url: str) -> None:
        self._client = client
        self._name = name
        self._url = url.rstrip("/") + "/v1/samples"
        # A little before the run: the windows before the first requests need it.
        self._since = f"@{time.time() - 5:.6f}"
        self._instance = ""

    def fetch(self, write: Callable[[SampleLine], None]) -> None:
        """Fetch all rows that are new; raises httpx.HTTPError or ValueError where that fails."""
        more = True
        while more:
            answer = self._client.get(self._url, params={"since": self._since})
            answer.raise_for_status()
            head, *rows = [msgspec.json.decode(line) for line in answer.content.splitlines()]
            if self._instance and head["instance"] != self._instance:
                # The exporter was started anew and counts from 1 again.
                self._instance, self._since = head["instance"], "0"
                continue
            self._instance, self._since, more = head["instance"], str(head["next"]), bool(head["more"])
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

    def __init__(self, client: httpx.Client, name: str, url: str) -> None:
        self._client = client
        self._name = name
        self._url = url

    def fetch(self, write: Callable[[SampleLine], None]) -> None:
        """One scrape; raises httpx.HTTPError or ValueError where it fails."""
        t0_ns = time.time_ns()
        answer = self._client.get(self._url)
        t1_ns = time.time_ns()
        answer.raise_for_status()
        write(Scrape(source=self._name, t0_ns=t0_ns, t1_ns=t1_ns, values=plain_values(answer.text)))


def plain_values(text: str) -> dict[str, float]:
    """Gauges and counters of a text exposition, without buckets; ValueError for what is none."""
    kept = "\n".join(line for line in text.splitlines() if "_bucket{" not in line) + "\n"
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(kept):
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            values[f"{sample.name}{{{labels}}}" if labels else sample.name] = float(sample.value)
            if len(values) >= MOST_SERIES:
                return values
    return values


def _follow(
    source: ExporterSource | MetricsSource, name: str, notebook: _Notebook, stop: threading.Event
) -> None:
    """Fetch until told to stop, then once more; a source that fails is asked again, ever less often."""
    pause_s, failing = source.period_s, False
    while True:
        last = stop.is_set()
        try:
            source.fetch(notebook.write)
            pause_s, failing = source.period_s, False
        except (httpx.HTTPError, ValueError, KeyError) as error:
            if not failing:
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                notebook.write(Gap(source=name, at_ns=time.time_ns(), why=why[:200]))
            failing = True
            pause_s = min(pause_s * 2, RETRY_MAX_S)
        if last:
            return
        stop.wait(pause_s)


def fetch(order: Order, stop: threading.Event) -> None:
    """Carry out the order until `stop` is set and everything is written."""
    notebook = _Notebook(Path(order.run_dir) / SAMPLES_NAME)
    auth = os.environ.get(AUTH_VARIABLE)
    threads = []
    with httpx.Client(
        timeout=REQUEST_TIMEOUT_S,
        verify=order.ca or True,
        auth=tuple(auth.split(":", 1)) if auth and ":" in auth else None,  # type: ignore[arg-type] # two parts
        trust_env=False,
    ) as client:
        for kind, named in (("exporter", order.exporters), ("metrics", order.metrics)):
            for name, url in named.items():
                host = urlsplit(url).hostname or "" if kind == "exporter" else order.host
                notebook.write(Source(source=name, kind=kind, url=url, host=host))
                make = ExporterSource if kind == "exporter" else MetricsSource
                arguments = (make(client, name, url), name, notebook, stop)
                threads.append(threading.Thread(target=_follow, args=arguments, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    notebook.close()


def main() -> int:
    """Read the order, work until standard input closes."""
    # The terminal's Ctrl-C is for the load test, which closes our input when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)

    def await_end() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=await_end, daemon=True).start()
    fetch(order, stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
