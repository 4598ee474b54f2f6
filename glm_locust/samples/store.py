"""`samples.jsonl.gz`: every raw sample of a run beside its `run.jsonl`, and the clocks it is read by.

One line, one object. `source`: where samples come from. `rows`: what an exporter handed out, as it
came. `scrape`: one look at a Prometheus endpoint. `clock`: one round of probes between a worker's
clock and a source's. `gap`: the source could not be read. Nothing in it is derived, so that a later
version can derive more.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from glm_locust.errors import GlmLocustError

SAMPLES_NAME = "samples.jsonl.gz"
CLOCKS_NAME = "clocks.jsonl"
FETCHER = "fetcher"
"""Stands for a worker in the clocks of the process that fetches the samples."""
MOST_FILES = 100


class Source(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="source"):
    """A place that samples come from."""

    source: str
    """Short name: `gpu0`, `metrics1`, ..."""
    kind: str
    """`exporter` (own clock, raw rows) or `metrics` (a Prometheus endpoint, stamped by the fetcher)."""
    url: str
    host: str = ""
    """Host name of the machine whose clock stamps the samples."""


class Rows(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="rows"):
    """A page of an exporter's rows."""

    source: str
    instance: str
    gpus: dict[str, Any] = {}
    lost: int = 0
    """Rows that had left the exporter's ring before they were fetched."""
    rows: tuple[dict[str, Any], ...] = ()


class Scrape(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="scrape"):
    """One look at a Prometheus endpoint: gauges and counters, no buckets."""

    source: str
    t0_ns: int
    t1_ns: int
    """Before and after, on the fetcher's wall clock."""
    values: dict[str, float]
    """`name{label="value"}` -> value."""


class Clock(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="clock"):
    """One round of probes: the source's clock minus the worker's."""

    source: str
    worker: str
    """Worker id, or `FETCHER`."""
    at_ns: int
    offset_ns: int
    bound_ns: int
    stepped: bool = False


class Gap(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="gap"):
    """The source could not be read from here on, until its next line."""

    source: str
    at_ns: int
    why: str


SampleLine = Source | Rows | Scrape | Clock | Gap

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SampleLine)


class SampleWriter:
    """Appends lines to a gzip file so that what was flushed can be read after a kill -9."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.open(path, "ab", compresslevel=5)  # noqa: SIM115 - closed by close()

    def write(self, line: SampleLine) -> None:
        """Append one line; it is safe after the next `flush`."""
        self._file.write(_encoder.encode(line) + b"\n")

    def flush(self) -> None:
        """End the compressor's block, so that everything so far can be decompressed."""
        self._file.flush()

    def close(self) -> None:
        """Write the end of the gzip member."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_samples(run_dir: Path) -> Iterator[SampleLine]:
    """Every line of the run's samples and clocks; a cut end is no error, other damage is one line."""
    clocks = run_dir / CLOCKS_NAME
    if clocks.exists():
        with clocks.open("rb") as file:
            yield from _decoded(file, clocks)
    for path in _sample_paths(run_dir):
        if not path.exists():
            return
        with path.open("rb") as file:
            yield from _decoded(_unzipped_lines(file), path)


def free_samples_path(run_dir: Path) -> Path:
    """Where samples go: `samples.jsonl.gz`, or `samples-2.jsonl.gz` after a fetcher that was killed.

    Nothing can be appended to a gzip file that was cut.
    """
    return next(path for path in _sample_paths(run_dir) if not path.exists())


def _sample_paths(run_dir: Path) -> Iterator[Path]:
    stem, dot, suffix = SAMPLES_NAME.partition(".")
    for number in range(1, MOST_FILES):
        yield run_dir / (SAMPLES_NAME if number == 1 else f"{stem}-{number}{dot}{suffix}")


def append_clock(path: Path, clock: Clock) -> None:
    """Append one round to the master's file of clocks."""
    with path.open("ab", buffering=0) as file:
        file.write(_encoder.encode(clock) + b"\n")


def _decoded(lines: Iterable[bytes], path: Path) -> Iterator[SampleLine]:
    for number, line in enumerate(lines, 1):
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            if not line.endswith(b"\n"):
                return
            raise GlmLocustError(f"{path}: line {number} is not a line of samples: {error}") from None


def _unzipped_lines(file: BufferedReader) -> Iterator[bytes]:
    """Lines of all gzip members; stops without complaint where the last member was cut."""
    inflate = zlib.decompressobj(wbits=31)
    rest = b""
    while chunk := file.read(1 << 16):
        while chunk:
            try:
                rest += inflate.decompress(chunk)
            except zlib.error:
                return
            chunk = inflate.unused_data
            if inflate.eof:
                inflate = zlib.decompressobj(wbits=31)
        lines = BytesIO(rest).readlines()
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
    if rest:
        yield rest
