"""What Prometheus costs a master: share of a core with and without it, and how long a scrape takes.

    python benchmarks/scrape_cost.py [--seconds 20] [--rate 500] [--gaps 100] [--tasks 20] [--paths 4]

One process admits records as a master does, from batches as workers send them, first alone, then with
the sink and a client that scrapes every second in OpenMetrics from a process of its own. Both phases
take turns, so that what else happens on the machine hits both.
"""

import gevent.monkey

gevent.monkey.patch_all()

import argparse  # noqa: E402
import itertools  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.config import MetricsPort  # noqa: E402
from glm_locust.plugin.prometheus import Exposition, serve  # noqa: E402
from glm_locust.records import Outcome, Phase, RequestRecord, RunHeader, encode_line  # noqa: E402
from glm_locust.run import Run  # noqa: E402
from glm_locust.transport.messages import Batch, Hello  # noqa: E402
from tests.plugin.team import free_port  # noqa: E402

LINGER_S = 0.3
"""How often a worker sends a batch."""
TURNS = 2

CLIENT = """
import json, sys, time, urllib.request
url, seconds = sys.argv[1], float(sys.argv[2])
took, size = [], 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    began = time.monotonic()
    asked = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    with urllib.request.urlopen(asked) as answer:
        size = len(answer.read())
    took.append(time.monotonic() - began)
    time.sleep(max(0.0, 1 - took[-1]))
print(json.dumps({"took_s": took, "bytes": size}))
"""


def records(args: argparse.Namespace) -> Iterator[RequestRecord]:
    second = 1_000_000_000
    for seq in itertools.count(1):
        start_ns = 1_700_000_000 * second + seq * 2_000_000
        ttft_ns = 50_000_000 + seq * 7919 % 3_000 * 1_000_000
        gaps = tuple(1000 + (seq * 31 + n * 7907) % 60_000 for n in range(args.gaps))
        yield RequestRecord(
            run_id="r",
            worker_id="w",
            seq=seq,
            path=f"path{seq % args.paths}",
            task=f"task{seq // args.paths % args.tasks}",
            phase=Phase.MEASURE,
            prompt_id="p",
            scheduled_ns=start_ns,
            sent_ns=start_ns,
            submitted_ns=start_ns,
            first_token_ns=start_ns + ttft_ns,
            last_output_ns=start_ns + ttft_ns + sum(gaps) * 1000,
            finished_ns=start_ns + ttft_ns + sum(gaps) * 1000,
            output_gaps_us=gaps,
            prompt_tokens=300,
            output_tokens=args.gaps + 1,
            outcome=Outcome.OK,
        )


def batches(args: argparse.Namespace, seconds: float) -> list[Batch]:
    per_batch = round(args.rate * LINGER_S)
    source = records(args)
    return [
        Batch(
            run_id="r",
            first_seq=number * per_batch + 1,
            lines=b"".join(encode_line(next(source)) for _ in range(per_batch)),
        )
        for number in range(round(seconds / LINGER_S))
    ]


def admitted(run: Run, due: list[Batch]) -> float:
    """Admit the batches at their times; the share of a core that this process took."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    for number, batch in enumerate(due):
        gevent.sleep(max(0.0, began_s + number * LINGER_S - time.monotonic()))
        run.admit("w", batch)
    gevent.sleep(max(0.0, began_s + len(due) * LINGER_S - time.monotonic()))
    return (time.process_time() - cpu_s) / (time.monotonic() - began_s)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20, help="length of each turn (default %(default)s)")
    parser.add_argument("--rate", type=int, default=500, help="records a second (default %(default)s)")
    parser.add_argument("--gaps", type=int, default=100, help="gaps of each record (default %(default)s)")
    parser.add_argument("--tasks", type=int, default=20, help="(default %(default)s)")
    parser.add_argument("--paths", type=int, default=4, help="(default %(default)s)")
    args = parser.parse_args()
    exposition = Exposition()
    port = free_port()
    server = serve(MetricsPort("127.0.0.1", port), exposition.page)
    due = batches(args, args.seconds)
    shares: dict[str, list[float]] = {"without": [], "with": []}
    took_s: list[float] = []
    size = 0
    with tempfile.TemporaryDirectory(prefix="glm-scrape-") as directory:
        for turn, kind in enumerate(["without", "with"] * TURNS):
            run = Run(RunHeader(run_id="r", started_ns=1, command=()), Path(directory) / str(turn))
            run.join("w", Hello(run_id="r"))
            client = None
            if kind == "with":
                exposition.begin(run)
                url = f"http://127.0.0.1:{port}/metrics"
                command = [sys.executable, "-c", CLIENT, url, str(args.seconds - 2)]
                client = subprocess.Popen(command, stdout=subprocess.PIPE)
            shares[kind].append(admitted(run, due))
            if client is not None:
                told = json.loads(client.communicate()[0])
                took_s += told["took_s"]
                size = told["bytes"]
    server.stop()
    print(f"{args.rate} records/s, {args.gaps} gaps each, {args.tasks} tasks x {args.paths} paths")
    for kind, found in shares.items():
        print(f"{kind:8} {' '.join(f'{share:7.2%}' for share in found)} of a core")
    added = [w - wo for w, wo in zip(shares["with"], shares["without"], strict=True)]
    print(f"added    {' '.join(f'{share:7.2%}' for share in added)} of a core")
    took_s.sort()
    p50_ms, max_ms = took_s[len(took_s) // 2] * 1e3, took_s[-1] * 1e3
    print(f"scrapes  n {len(took_s)}  p50 {p50_ms:.1f} ms  max {max_ms:.1f} ms  {size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
