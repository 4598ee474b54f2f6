"""`glm-locust doctor`: what this machine can be trusted to measure."""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import psutil

from glm_locust.errors import ConfigError, ExitCode, GlmLocustError
from glm_locust.records import RequestRecord, decode_line
from glm_locust.ruler import Reading, read_truth, reading
from glm_locust.ruler.error import ITL_ERROR_BOUND_US, TTFT_ERROR_BOUND_US
from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port

LEVELS = (1, 50, 200, 400)
MOST_STREAMS = 5000
LOCUSTFILE = Path(__file__).with_name("ruler_locustfile.py")
SETTLE_S = 3.0
"""Left out at the beginning: connections are made and users spawned then."""
STARTS_WITHIN_S = 60.0
FILES_BESIDE = 100
"""Open files of a load generator that are no connections."""
NAPS, NAP_S = 200, 0.005


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "doctor",
        help="tell what this machine can be trusted to measure",
        description="Says what of this machine matters to a load test. With --ruler it also measures its "
        "error: one process of Locust asks a server on 127.0.0.1 whose truth is known, at several numbers of "
        "streams. Exit code 4 where the smallest number cannot be trusted already.",
    )
    parser.add_argument("--ruler", action="store_true", help="measure the error of TTFT and ITL by streams")
    parser.add_argument(
        "--streams", default=",".join(map(str, LEVELS)), metavar="LIST", help="default: %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="measured at each number (default 10)"
    )
    parser.add_argument("--tokens", type=int, default=64, metavar="N", help="tokens per answer (default 64)")
    parser.add_argument(
        "--ttft-ms", type=float, default=200.0, metavar="MS", help="the server's TTFT (default 200)"
    )
    parser.add_argument(
        "--itl-ms", type=float, default=20.0, metavar="MS", help="the server's ITL (default 20)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Tell; raises ConfigError for options that cannot be met."""
    levels = _levels(args.streams)
    for name, value, least in (("seconds", args.seconds, 1), ("tokens", args.tokens, 2)):
        if not least <= value <= 3600:
            raise ConfigError(f"--{name}: expected a number from {least} to 3600, got {value:g}")
    for name, value in (("ttft-ms", args.ttft_ms), ("itl-ms", args.itl_ms)):
        if not 1 <= value <= 60_000:
            raise ConfigError(f"--{name}: expected a number from 1 to 60000, got {value:g}")
    if not args.ruler:
        return _tell(args, _machine(), [])
    _need_files(max(levels))
    machine, rows = _machine(), []
    if not args.json:
        print(_machine_text(machine), _HEAD, sep="\n", flush=True)
    for streams in levels:
        rows.append((streams, *_measured(streams, args)))
        if not args.json:
            print(_line(*rows[-1]), flush=True)
    return _tell(args, machine, rows)


Row = tuple[int, Reading, float]
"""Streams, errors, CPU of the generator as a share of one core."""


def _tell(args: argparse.Namespace, machine: dict[str, object], rows: Sequence[Row]) -> int:
    trusted = _trusted_upto(rows)
    if args.json:
        found = [{"streams": n, **asdict(r), "trusted": r.trusted, "cpu_ratio": cpu} for n, r, cpu in rows]
        ruler = {"rows": found, "trusted_streams": trusted} if args.ruler else None
        print(json.dumps({"machine": machine, "ruler": ruler}, indent=2))
    elif args.ruler:
        bounds = (
            f"TTFT and ITL error p99 <= {TTFT_ERROR_BOUND_US / 1e3:g} and {ITL_ERROR_BOUND_US / 1e3:g} ms"
        )
        if trusted == 0:
            print(f"\nNot to be trusted here, not even at {rows[0][0]} streams ({bounds}).")
        else:
            more = "" if trusted == rows[-1][0] else "; beyond, add workers"
            print(f"\nTrustworthy up to {trusted} streams per process ({bounds}){more}.")
    else:
        print(_machine_text(machine))
    return ExitCode.INVALID if args.ruler and trusted == 0 else ExitCode.PASS


def _trusted_upto(rows: Sequence[Row]) -> int:
    """The largest number of streams up to which all can be trusted; 0 for none."""
    upto = 0
    for streams, found, _ in sorted(rows, key=lambda row: row[0]):
        if not found.trusted:
            break
        upto = streams
    return upto


def _levels(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= MOST_STREAMS for part in parts):
        raise ConfigError(
            f"--streams: expected numbers from 1 to {MOST_STREAMS}, like 1,50,200, got {text!r}"
        )
    return sorted({int(part) for part in parts})


def _need_files(streams: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = streams + FILES_BESIDE
    if 0 <= soft < needed:
        if 0 <= hard < needed:
            raise ConfigError(
                f"--streams: {streams} streams need {needed} open files; the limit here is {hard}"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _machine() -> dict[str, object]:
    late_us = sorted(_naps_late_us())
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "load_1_min": os.getloadavg()[0],
        "wake_up_late_p50_us": round(statistics.median(late_us)),
        "wake_up_late_p99_us": round(late_us[int(0.99 * len(late_us))]),
    }


def _naps_late_us() -> Iterator[float]:
    """How late the system wakes up a process that sleeps: no timing of any program here is better."""
    for _ in range(NAPS):
        begun = time.perf_counter()
        time.sleep(NAP_S)
        yield (time.perf_counter() - begun - NAP_S) * 1e6


def _machine_text(machine: dict[str, object]) -> str:
    return (
        f"{machine['cores']} cores, load {machine['load_1_min']:.1f}, {machine['system']}, "
        f"Python {machine['python']}, {machine['open_files_limit']} open files\n"
        f"A sleeping process is woken up {machine['wake_up_late_p50_us']} us late at p50, "
        f"{machine['wake_up_late_p99_us']} us at p99 ({NAPS} times).\n"
    )


_HEAD = (
    f"{'streams':>7} {'n':>6} {'failed':>6} {'TTFT error, us: p50':>20} {'p99':>7} {'p99, kernel':>12} "
    f"{'ITL error, us: p99':>19} {'tokens/s':>9} {'CPU':>6}"
)


def _line(streams: int, found: Reading, cpu: float) -> str:
    def shown(value: float | None) -> str:
        return "n/a" if value is None else f"{value:,.0f}"

    return (
        f"{streams:>7} {found.requests:>6} {found.failed:>6} {shown(found.ttft_p50_us):>20} "
        f"{shown(found.ttft_p99_us):>7} {shown(found.kernel_ttft_p99_us):>12} "
        f"{shown(found.itl_p99_us):>19} {found.tokens_per_s:>9,.0f} {cpu:>6.0%}"
        f"{'' if found.trusted else '  not trusted'}"
    )


def _measured(streams: int, args: argparse.Namespace) -> tuple[Reading, float]:
    """One run of Locust against the ruler's server."""
    with tempfile.TemporaryDirectory(prefix="glm-ruler-") as folder:
        out, truth = Path(folder, "runs"), Path(folder, "truth.jsonl")
        with _server(args, truth, Path(folder)) as port:
            begun_ns = time.time_ns()
            cpu = _generate(streams, port, args.seconds, out, Path(folder))
        records = list(_records(out))
        first_ns = min((record.scheduled_ns for record in records), default=begun_ns)
        since_ns = max(begun_ns, first_ns) + round(SETTLE_S * 1e9)
        return reading(records, read_truth(truth), since_ns), cpu


@contextmanager
def _server(args: argparse.Namespace, truth: Path, folder: Path) -> Iterator[int]:
    port = available_port(0)
    command = [sys.executable, "-m", "glm_locust.ruler.server", f"--port={port}", f"--truth={truth}"]
    command += [f"--tokens={args.tokens}", f"--ttft-ms={args.ttft_ms}", f"--itl-ms={args.itl_ms}"]
    server = Child("ruler", command, log=folder / "ruler.log", env=os.environ, cwd=Path.cwd())
    try:
        server.wait_until(truth.exists, seconds=STARTS_WITHIN_S)
        yield port
    finally:
        server.end()


def _generate(streams: int, port: int, seconds: float, out: Path, folder: Path) -> float:
    """Run Locust to its end; its CPU as a share of one core once it has settled."""
    total_s = seconds + SETTLE_S
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    command += [f"--users={streams}", f"--spawn-rate={max(10, streams / 2):g}", f"--run-time={total_s:g}s"]
    command += [f"--glm-api=http://{HOST}:{port}", f"--glm-out={out}", "--glm-warmup=0"]
    generator = Child("locust", command, log=folder / "locust.log", env=os.environ, cwd=Path.cwd())
    try:
        process = psutil.Process(generator.pid)
        readings: list[tuple[float, float]] = []
        deadline = time.monotonic() + STARTS_WITHIN_S + total_s + 60
        while generator.exit_code is None:
            if time.monotonic() > deadline:
                raise GlmLocustError(f"Locust did not end:\n{generator.tail()}")
            used = process.cpu_times()
            readings.append((time.monotonic(), used.user + used.system))
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        pass  # it has just ended
    finally:
        generator.end()
    if generator.exit_code not in (ExitCode.PASS, ExitCode.FAILED_REQUESTS, ExitCode.INVALID):
        raise GlmLocustError(f"Locust ended with code {generator.exit_code}:\n{generator.tail()}")
    return _share(readings, seconds)


def _share(readings: Sequence[tuple[float, float]], seconds: float) -> float:
    """CPU share over the middle of the last `seconds`: neither the start nor the report is in it."""
    if not readings:
        return 0.0
    end = readings[-1][0] - 1.0
    inside = [one for one in readings if end - 0.6 * seconds <= one[0] <= end]
    if len(inside) < 2:
        return 0.0
    (begin_s, begin_cpu), (end_s, end_cpu) = inside[0], inside[-1]
    return (end_cpu - begin_cpu) / (end_s - begin_s)


def _records(out: Path) -> Iterator[RequestRecord]:
    for path in out.glob("*/run.jsonl"):
        with path.open("rb") as file:
            yield from (line for line in map(decode_line, file) if isinstance(line, RequestRecord))
