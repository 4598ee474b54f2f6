"""What being watched costs a master: the dashboard polled and metrics scraped once a second, together.

    python benchmarks/master_cost.py [--turns 5] [--seconds 20] [--rate 500]

One process admits records as a master does, from batches as workers send them, in turns: alone, and with
the dashboard (ticking, its page polled over HTTP) and Prometheus (scraped in OpenMetrics), both asked from
processes of their own. Locust's web app is there all the time. Turns alternate, so that what else happens
on the machine hits both; the added share is the median of the differences of neighbours. A last turn
clocks every piece of work between two switches of greenlets, in CPU time: nothing else is served meanwhile.

The bounds are held against the five tasks on three paths; 20 tasks on 4 paths are told beside them.
"""

import gevent.monkey

gevent.monkey.patch_all()

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import random  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
import greenlet  # noqa: E402
import msgspec  # noqa: E402
from locust.argument_parser import get_parser  # noqa: E402
from locust.env import Environment  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.config import MetricsPort, Scenario  # noqa: E402
from glm_locust.plugin.dashboard import Dashboard  # noqa: E402
from glm_locust.plugin.guard import Guard  # noqa: E402
from glm_locust.plugin.prometheus import Exposition, serve  # noqa: E402
from glm_locust.records import Outcome, Phase, RequestRecord, RunHeader, encode_line  # noqa: E402
from glm_locust.records.record import ErrorKind  # noqa: E402
from glm_locust.run import Run  # noqa: E402
from glm_locust.samples.newest import NEWEST_NAME, NewestDevice  # noqa: E402
from glm_locust.transport.clock import now_ns  # noqa: E402
from glm_locust.transport.messages import Batch, Hello, InFlight, Pulse  # noqa: E402
from tests.plugin.team import free_port  # noqa: E402

BOUND_SHARE = 0.03
BOUND_SCRAPE_MS = 30.0
BOUND_PIECE_MS = 10.0
LINGER_S = 0.3
"""How often a worker sends a batch."""
SETTLE_S = 2.0
"""So much earlier than a turn its readers end."""
SLO = ("goodput(ttft < 2 s, tpot < 60 ms) > 95 %",)
GPUS = 8
NS = 1_000_000_000

READER = """
import http.client, json, sys, time
host, port, path, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
accept = {"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"}
connection = http.client.HTTPConnection(host, port, timeout=30)
took, size, known = [], 0, ""
end = time.monotonic() + seconds
while time.monotonic() < end:
    began = time.monotonic()
    connection.request("GET", path + known, headers=accept)
    answer = connection.getresponse()
    body = answer.read()
    took.append(time.monotonic() - began)
    assert answer.status == 200 and body, (answer.status, body)
    size = max(size, len(body))
    if answer.getheader("Content-Type") == "application/json":
        told = json.loads(body)
        known = f"?run={told['run']['id']}&since={told['next']}"
    time.sleep(max(0.0, 1 - (time.monotonic() - began)))
print(json.dumps({"took_s": took, "bytes": size}))
"""


@dataclass(frozen=True)
class Shape:
    """What the records of a run are like."""

    tasks: int
    paths: int
    gaps: int

    def __str__(self) -> str:
        return f"{self.tasks} tasks x {self.paths} paths, {self.gaps} gaps a record"


SHAPES = (Shape(5, 3, 40), Shape(20, 4, 100))


@dataclass
class Read:
    """What the readers of one page saw, over all turns."""

    took_ms: list[float] = field(default_factory=list)
    size: int = 0

    def take(self, told: dict[str, Any]) -> None:
        self.took_ms += [1e3 * took_s for took_s in told["took_s"]]
        self.size = max(self.size, told["bytes"])

    @property
    def p50_ms(self) -> float:
        return statistics.median(self.took_ms)

    def __str__(self) -> str:
        return (
            f"n {len(self.took_ms)}  p50 {self.p50_ms:.1f} ms  max {max(self.took_ms):.1f} ms  "
            f"up to {self.size / 1e3:.0f} kB"
        )


class Pieces:
    """CPU time of the longest piece of work between two switches, of the main greenlet and of all others."""

    def __init__(self) -> None:
        self.main_ms = 0.0
        self.others_ms: list[float] = []
        self._main = greenlet.getcurrent()
        self._since_s = 0.0

    def __enter__(self) -> "Pieces":
        self._since_s = time.thread_time()
        greenlet.settrace(self._switched)
        return self

    def __exit__(self, *exc: object) -> None:
        greenlet.settrace(None)

    def _switched(self, _event: str, ends: tuple[Any, Any]) -> None:
        now_s = time.thread_time()
        took_ms = 1e3 * (now_s - self._since_s)
        if ends[0] is self._main:
            self.main_ms = max(self.main_ms, took_ms)
        else:
            self.others_ms.append(took_ms)
        self._since_s = now_s


class Master:
    """A master's side of runs, in this process, with Locust's web app and a port for scrapes."""

    def __init__(self) -> None:
        self.web_port, self.metrics_port = free_port(), free_port()
        sys.argv = sys.argv[:1]  # Locust reads it where it makes its start form
        parser = get_parser(default_config_files=[])
        environment = Environment(parsed_options=parser.parse_args(["--web-port", str(self.web_port)]))
        environment.create_local_runner()
        self._scenario = Scenario(slo=SLO)
        environment.create_web_ui("127.0.0.1", self.web_port)
        self._dashboard = Dashboard(environment, Guard(), self._scenario)
        self._exposition = Exposition()
        serve(MetricsPort("127.0.0.1", self.metrics_port), self._exposition.page)

    def watch(self, run: Run) -> None:
        self._dashboard.start(run, self._scenario)
        self._exposition.begin(run)

    def unwatch(self) -> None:
        self._dashboard.finish()


def records(shape: Shape) -> Iterator[RequestRecord]:
    rng = random.Random(1)
    start_ns = now_ns()
    for seq in itertools.count(1):
        at_ns = start_ns + seq * NS // 500
        ttft_ns = round(rng.lognormvariate(0, 0.5) * NS)
        gaps_us = tuple(round(rng.lognormvariate(9.6, 0.4)) for _ in range(shape.gaps))
        last_ns = at_ns + ttft_ns + sum(gaps_us) * 1000
        failed = rng.random() < 0.01
        yield RequestRecord(
            run_id="r",
            worker_id="w",
            seq=seq,
            path=f"path{rng.randrange(shape.paths)}",
            task=f"task{rng.randrange(shape.tasks)}",
            phase=Phase.MEASURE,
            prompt_id="p",
            scheduled_ns=at_ns,
            sent_ns=at_ns + 200_000,
            submitted_ns=at_ns + 200_000,
            first_token_ns=at_ns + ttft_ns,
            first_output_ns=at_ns + ttft_ns,
            last_output_ns=last_ns,
            finished_ns=last_ns,
            first_token_lag_us=rng.randrange(20, 300),
            output_gaps_us=gaps_us,
            prompt_tokens=300,
            output_tokens=shape.gaps + 1,
            output_chars=4 * shape.gaps,
            outcome=Outcome.FAILED if failed else Outcome.OK,
            error_kind=ErrorKind.TIMEOUT_STALL if failed else None,
        )


def batches(shape: Shape, rate: int, seconds: float) -> list[Batch]:
    per_batch = round(rate * LINGER_S)
    source = records(shape)
    return [
        Batch(
            run_id="r",
            first_seq=number * per_batch + 1,
            lines=b"".join(encode_line(next(source)) for _ in range(per_batch)),
        )
        for number in range(round(seconds / LINGER_S))
    ]


def newest_samples() -> bytes:
    readings = {"busy": 0.9, "memory_used": 7e10, "power": 600.0, "temperature": 60.0, "sm_clock": 1.9e9}
    at_ns = now_ns() + 3600 * NS  # fresh to the end
    gpus = [NewestDevice(source="gpu", name=f"GPU {n}", readings=readings, at_ns=at_ns) for n in range(GPUS)]
    return msgspec.json.encode(gpus)


def admitted(run: Run, due: list[Batch], pulse: Pulse) -> float:
    """Admit the batches at their times; the share of a core that this process took."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    for number, batch in enumerate(due):
        gevent.sleep(max(0.0, began_s + number * LINGER_S - time.monotonic()))
        run.feel("w", pulse, now_ns())
        run.admit("w", batch)
    gevent.sleep(max(0.0, began_s + len(due) * LINGER_S - time.monotonic()))
    return (time.process_time() - cpu_s) / (time.monotonic() - began_s)


class Turns:
    """Runs of one shape, all with the same records."""

    def __init__(self, master: Master, shape: Shape, rate: int, seconds: float) -> None:
        self.polls, self.scrapes = Read(), Read()
        self._master = master
        self._seconds = seconds
        self._due = batches(shape, rate, seconds)
        in_flight = [
            InFlight(path=f"path{path}", task=f"task{task}", count=9)
            for path in range(shape.paths)
            for task in range(shape.tasks)
        ]
        self._pulse = Pulse(
            run_id="r", in_flight=tuple(in_flight), send_lag_s=1e-3, generator_lag_s=1e-4, cpu_ratio=0.3
        )

    def alone(self) -> float:
        with tempfile.TemporaryDirectory(prefix="glm-master-") as directory:
            return admitted(self._run(Path(directory)), self._due, self._pulse)

    def watched(self, polls: Read, scrapes: Read) -> float:
        with tempfile.TemporaryDirectory(prefix="glm-master-") as directory:
            run = self._run(Path(directory))
            self._master.watch(run)
            readers = [
                (polls, self._reader(self._master.web_port, "/glm/data")),
                (scrapes, self._reader(self._master.metrics_port, "/metrics")),
            ]
            share = admitted(run, self._due, self._pulse)
            for read, process in readers:
                read.take(json.loads(process.communicate()[0]))
            self._master.unwatch()
            return share

    def measured(self, turns: int) -> list[tuple[float, float]]:
        """Shares of a core, alone and watched."""
        return [(self.alone(), self.watched(self.polls, self.scrapes)) for _ in range(turns)]

    def pieces(self) -> Pieces:
        with Pieces() as pieces:
            self.watched(Read(), Read())
        return pieces

    def _run(self, directory: Path) -> Run:
        run = Run(RunHeader(run_id="r", started_ns=now_ns(), command=()), directory / "r")
        run.join("w", Hello(run_id="r"))
        (run.run_dir / NEWEST_NAME).write_bytes(newest_samples())
        return run

    def _reader(self, port: int, path: str) -> subprocess.Popen[bytes]:
        words = ["127.0.0.1", str(port), path, str(self._seconds - SETTLE_S)]
        return subprocess.Popen([sys.executable, "-c", READER, *words], stdout=subprocess.PIPE)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=5, help="of each kind (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="length of a turn (default %(default)s)")
    parser.add_argument("--rate", type=int, default=500, help="records a second (default %(default)s)")
    args = parser.parse_args()
    master = Master()
    missed: list[str] = []
    for shape in SHAPES:
        turns = Turns(master, shape, args.rate, args.seconds)
        Turns(master, shape, args.rate, 3 * SETTLE_S).watched(Read(), Read())  # what is loaded once only
        shares = turns.measured(args.turns)
        pieces = turns.pieces()
        added = statistics.median(watched - alone for alone, watched in shares)
        longest_ms = max(pieces.others_ms)
        print(f"{args.rate} records/s, {shape}")
        print("  alone    " + " ".join(f"{alone:7.2%}" for alone, _ in shares) + "  of a core")
        print("  watched  " + " ".join(f"{watched:7.2%}" for _, watched in shares))
        print(f"  added    {added:7.2%}  (median of differences; bound {BOUND_SHARE:.0%})")
        print(f"  scrapes  {turns.scrapes}  (bound {BOUND_SCRAPE_MS:.0f} ms at p50)")
        print(f"  polls    {turns.polls}")
        print(
            f"  longest piece of CPU time for readers {longest_ms:.1f} ms (bound {BOUND_PIECE_MS:.0f} ms), "
            f"for a batch of records {pieces.main_ms:.1f} ms"
        )
        if shape is SHAPES[0]:
            held = {
                "share": added <= BOUND_SHARE,
                "scrapes": turns.scrapes.p50_ms <= BOUND_SCRAPE_MS,
                "pieces": longest_ms <= BOUND_PIECE_MS,
            }
            missed = [what for what, holds in held.items() if not holds]
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
