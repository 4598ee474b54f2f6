"""A real exporter on the scripted NVML library: built here, driven through its journal, asked over HTTP."""

import contextlib
import gzip
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

SOURCE = Path(__file__).parent / "fake_nvml"
CACHE = Path(__file__).parents[2] / ".cache" / "fake_nvml"
COMPILE = (
    *("gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"),
    *("-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-Wl,-soname,libnvidia-ml.so.1"),
)
DEADLINE_S = 30.0


def built_library(old_driver: bool = False, cache: Path = CACHE) -> Path:
    """The folder with the scripted libnvidia-ml.so.1, built when its source is newer."""
    sources = sorted(SOURCE.glob("*.[ch]"))
    folder = cache / ("old" if old_driver else "current")
    library = folder / "libnvidia-ml.so.1"
    if library.exists() and library.stat().st_mtime > max(s.stat().st_mtime for s in sources):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"building-{os.getpid()}"
    code = [str(source) for source in sources if source.suffix == ".c"]
    flags = ["-DOLD_DRIVER"] if old_driver else []
    subprocess.run([*COMPILE, *flags, "-o", str(fresh), *code, "-lm"], check=True)
    fresh.replace(library)  # in one step: a test beside this one may be loading it
    return folder


class Journal:
    """The script of the library: lines are only ever added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.write("".join(line + "\n" for line in lines))


def until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S, every_s: float = 0.05) -> Any:
    """The first true answer of ``holds``; fails after the deadline."""
    pause = threading.Event()
    end = time.monotonic() + deadline_s
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        pause.wait(every_s)


class Scrape:
    """The samples of one answer of /metrics, and how long it took."""

    def __init__(self, text: str, took_s: float) -> None:
        self.text = text
        self.took_s = took_s
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def names(self) -> set[str]:
        return {sample.name for sample in self._samples}

    def all(self, metric: str, **labels: str) -> list[float]:
        return [
            sample.value
            for sample in self._samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        ]

    def one(self, metric: str, **labels: str) -> float | None:
        found = self.all(metric, **labels)
        assert len(found) <= 1, (metric, labels, found)
        return found[0] if found else None

    def labels(self, metric: str) -> list[dict[str, str]]:
        return [sample.labels for sample in self._samples if sample.name == metric]


class Exporter:
    """A running ``glm-gpu-exporter``; ``library`` None means a machine without driver."""

    def __init__(
        self,
        library: Path | None,
        journal: Journal | None,
        *options: str,
        environment: dict[str, str] | None = None,
        listen: str = "127.0.0.1:0",
    ) -> None:
        inherited = {k: v for k, v in os.environ.items() if k not in ("LD_LIBRARY_PATH", "FAKE_NVML_SCRIPT")}
        if library is not None:
            inherited["LD_LIBRARY_PATH"] = str(library)
        if journal is not None:
            inherited["FAKE_NVML_SCRIPT"] = str(journal.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "glm_gpu_exporter", "--listen", listen, *options],
            env=inherited | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.log: list[str] = []
        self._first_line: queue.Queue[str] = queue.Queue()
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        line = self._first_line.get(timeout=DEADLINE_S)
        found = re.fullmatch(r"listening on (https?://127\.0\.0\.1:\d+)", line)
        if found is None:
            self._process.wait(DEADLINE_S)
            for reader in self._readers:
                reader.join(DEADLINE_S)
            raise AssertionError(f"exporter did not start: {line!r} {self.log}")
        self.url = found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill() if error else self.stop()

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._first_line.put(line.strip())
        self._first_line.put("")

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        self.log.extend(line.rstrip("\n") for line in self._process.stderr)

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body, unpacked where it came compressed."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                status, head, body = answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, head, body = error.code, dict(error.headers), error.read()
        return status, head, gzip.decompress(body) if head.get("Content-Encoding") == "gzip" else body

    def json(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.get(path)[2])
        return answer

    def scrape(self) -> Scrape:
        began = time.perf_counter()
        status, _, body = self.get("/metrics")
        took_s = time.perf_counter() - began
        assert status == 200
        return Scrape(body.decode(), took_s)

    def page(
        self, since: str | int = 0, limit: int | None = None
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Header and rows of one page of /v1/samples."""
        query = f"/v1/samples?since={since}" + ("" if limit is None else f"&limit={limit}")
        status, _, body = self.get(query)
        assert status == 200, body
        header, *rows = [json.loads(line) for line in body.splitlines()]
        return header, rows

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows that are kept."""
        since, more = 0, True
        while more:
            header, rows = self.page(since)
            yield from rows
            since, more = header["next"], header["more"]

    def wait_for(self, what: str, holds: Callable[[Scrape], Any], deadline_s: float = DEADLINE_S) -> Scrape:
        """The first scrape for which ``holds``."""

        def look() -> Scrape | None:
            scrape = self.scrape()
            return scrape if holds(scrape) else None

        found: Scrape = until(look, what, deadline_s)
        return found

    def wait_for_gpus(self, count: int) -> Scrape:
        return self.wait_for(f"{count} GPUs up", lambda s: s.all("gpu_up") == [1.0] * count)

    def children(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children()
        return []

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends the exporter by a signal; its exit code."""
        self._process.send_signal(number)
        code = self._process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(2.0)  # a child that hangs in the driver keeps the log open
        return code
