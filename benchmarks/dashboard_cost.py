"""What the dashboard costs a master: a read model fed 500 records a second and polled once a second.

    python benchmarks/dashboard_cost.py [--rate 500] [--seconds 300] [--gaps 40]

Simulated time, real work: CPU time of feeding, ticking and polling is summed up and divided by the time
that was simulated, so the share does not depend on what else runs (caches aside). Three paths, five tasks,
each record with as many gaps between deltas as `--gaps` says.
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import msgspec

from glm_locust.dashboard import Device, Gauges, LiveRun
from glm_locust.records import Outcome, Phase, RequestRecord
from glm_locust.records.record import ErrorKind

S = 1_000_000_000
PATHS = ("api", "web", "web-jupyter")
TASKS = ("describe", "ocr", "chart", "compare", "reason")
BOUND_SHARE = 0.03


def record(rng: random.Random, seq: int, at_ns: int, gaps: int) -> RequestRecord:
    ttft_ns = round(rng.lognormvariate(0, 0.5) * S)
    gaps_us = tuple(round(rng.lognormvariate(9.6, 0.4)) for _ in range(gaps))
    last_ns = at_ns + ttft_ns + sum(gaps_us) * 1000
    failed = rng.random() < 0.01
    return RequestRecord(
        run_id="r",
        worker_id="w",
        seq=seq,
        path=rng.choice(PATHS),
        task=rng.choice(TASKS),
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
        output_tokens=gaps + 1,
        outcome=Outcome.FAILED if failed else Outcome.OK,
        error_kind=ErrorKind.TIMEOUT_STALL if failed else None,
    )


class Stopwatch:
    """CPU time of one kind of work."""

    def __init__(self) -> None:
        self.each_s: list[float] = []
        self._begun_s = 0.0

    def __enter__(self) -> None:
        self._begun_s = time.thread_time()

    def __exit__(self, *exc: object) -> None:
        self.each_s.append(time.thread_time() - self._begun_s)

    @property
    def total_s(self) -> float:
        return sum(self.each_s)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=int, default=500, help="records a second (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=300, help="simulated time (default %(default)s)")
    parser.add_argument("--gaps", type=int, default=40, help="gaps per answer (default %(default)s)")
    args = parser.parse_args()
    rng = random.Random(1)
    live = LiveRun("r", 0, ["goodput(ttft < 2 s, tpot < 60 ms) > 95 %"])
    devices = tuple(
        Device(f"GPU {n}", {"busy": 0.9, "memory_used": 7e10, "power": 600.0, "temperature": 60.0})
        for n in range(8)
    )
    in_flight = {(path, task): 9 for path in PATHS for task in TASKS}
    feeding, ticking, polling = Stopwatch(), Stopwatch(), Stopwatch()
    # Made beforehand: what a record costs to be made and decoded is not the dashboard's.
    pool = [record(rng, seq, seq * S // args.rate, args.gaps) for seq in range(20 * args.rate)]
    following, sizes = 0, []
    for second in range(args.seconds):
        batch = []
        for number in range(args.rate):
            one = pool[(second * args.rate + number) % len(pool)]
            at_ns = second * S + number * S // args.rate
            batch.append((one, at_ns))
        with feeding:
            for one, at_ns in batch:
                live.take(one, at_ns)
        with ticking:
            live.tick((second + 1) * S, Gauges(in_flight=in_flight, host_cpu_ratio=0.5, devices=devices))
        with polling:
            told = live.snapshot(following)
            body = msgspec.json.encode(told)
        following = told["next"]
        sizes.append(len(body))
    whole = len(msgspec.json.encode(live.snapshot()))
    share = (feeding.total_s + ticking.total_s + polling.total_s) / args.seconds
    slowest = sorted(polling.each_s)
    print(f"{args.rate} records/s, {args.gaps} gaps each, {args.seconds} s, {len(PATHS) * len(TASKS)} cells")
    for name, work in (("feeding", feeding), ("ticking", ticking), ("polling", polling)):
        print(f"  {name}: {work.total_s / args.seconds:.2%} of a core")
    print(f"  added share of a core: {share:.2%} (bound {BOUND_SHARE:.0%})")
    print(
        f"  a poll: p50 {slowest[len(slowest) // 2] * 1e3:.1f} ms, largest {slowest[-1] * 1e3:.1f} ms; "
        f"{max(sizes) / 1000:.1f} kB, the first of a page {whole / 1000:.1f} kB"
    )
    if share > BOUND_SHARE:
        print("  MISSED: the bound")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
