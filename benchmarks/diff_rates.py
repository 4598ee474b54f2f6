"""How often `glm-locust diff` is wrong, and how often it sees what is there.

    python benchmarks/diff_rates.py [--seconds 600] [--resplits 500] [--pairs 20]
    python benchmarks/diff_rates.py --recording benchmarks/results/diff_blocks.json.gz
    python benchmarks/diff_rates.py --short

Records blocks of real requests (Locust, over a socket, to the testbed's model server) while the server's
engine is at its own pace and 15 % slower in turns. Then makes pairs of runs out of them: of blocks of
the same pace (A/A), where every "worse" is a false one, and of blocks of both (A/B), where "worse" is true.
`--pairs` adds real pairs: whole runs one after the other. `--short` looks at a small recording only.
"""

import argparse
import gzip
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from machine import RESULTS, load, publish, table

from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.records import Outcome, Phase, RequestRecord, decode_line
from glm_locust.regression import Change, Observations, Verdict, changes
from glm_locust.regression.change import DEFAULT_MEASURES
from glm_locust.testbed import Testbed

SLOWER = 1.15
SEGMENT_S = 20.0
BLOCKS = (5, 10, 20, 30)
"""Blocks per run that are tried."""
FALSE_AT_MOST, TRUE_AT_LEAST = 0.05, 0.90
METRICS_USED = tuple(dict.fromkeys(measure.metric for measure in DEFAULT_MEASURES))
RECORDING = RESULTS / "diff_blocks.json.gz"

Block = list[RequestRecord]


@dataclass(frozen=True, slots=True)
class Rates:
    """What became of many pairs."""

    pairs: int
    worse: int
    """Pairs with any "worse" in them."""
    better: int
    whole: int
    """Pairs in which the path's median TTFT or E2E latency, over all tasks, is worse."""
    requests: float
    seconds: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="length of the recording (default 600)")
    parser.add_argument("--resplits", type=int, default=500, help="A/A pairs per run length (default 500)")
    parser.add_argument("--pairs", type=int, default=0, help="real pairs of runs beside them (default 0)")
    parser.add_argument("--recording", type=Path, help="take the blocks from this file")
    parser.add_argument("--short", action="store_true", help="a few pairs of the kept recording")
    args = parser.parse_args()
    before = load()
    if args.short:
        return report(read(RECORDING), 25, BLOCKS[1:2])
    if args.recording is None:
        keep(record(args.seconds), RECORDING)
    blocks = read(args.recording or RECORDING)
    return report(blocks, args.resplits, BLOCKS, before, real_pairs(args.pairs))


def record(seconds: float) -> dict[float, list[Block]]:
    """Blocks by the pace of the engine in them."""
    with tempfile.TemporaryDirectory(prefix="glm-diff-") as folder:
        out, pace = Path(folder, "runs"), Path(folder, "pace")
        begin_s = time.time()
        turns = range(int((seconds + 120) / SEGMENT_S))
        pace.write_text("".join(f"{begin_s + i * SEGMENT_S} {SLOWER if i % 2 else 1}\n" for i in turns))
        with Testbed(web=False, jupyter=False, pace_file=pace, workdir=Path(folder, "testbed")) as testbed:
            compare(testbed, out, seconds)
        (run_dir,) = (path.parent for path in out.glob("*/run.jsonl"))
        found: dict[float, list[Block]] = defaultdict(list)
        for block in blocks_of(run_dir):
            first_s, last_s = block[0].scheduled_ns / 1e9, max(one.finished_ns for one in block) / 1e9
            turn = int((first_s - begin_s) // SEGMENT_S)
            if turn == int((last_s - begin_s) // SEGMENT_S):
                found[SLOWER if turn % 2 else 1.0].append(block)
        return found


def compare(testbed: Testbed, out: Path, seconds: float) -> None:
    """One real run over the API."""
    command = [sys.executable, "-m", "glm_locust", "compare", f"--api={testbed.api_url}", f"--out={out}"]
    command += ["--workers=1", f"--run-time={seconds:g}s"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def records_of(run_dir: Path) -> Iterable[RequestRecord]:
    with (run_dir / "run.jsonl").open("rb") as file:
        for line in map(decode_line, file):
            if isinstance(line, RequestRecord) and enters_statistics(line):
                yield line


def blocks_of(run_dir: Path) -> Iterable[Block]:
    """The blocks of a run but the last, which its end cut short."""
    found: dict[int | None, Block] = defaultdict(list)
    for one in records_of(run_dir):
        found[one.block].append(one)
    return list(found.values())[:-1]


def keep(blocks: dict[float, list[Block]], path: Path) -> None:
    """What comparisons look at, and nothing else."""
    kept = {
        str(pace): [
            [
                (
                    one.task,
                    one.output_tokens,
                    round(value_of(one, "ttft_s"), 5),
                    round(value_of(one, "e2e_s"), 5),
                )
                for one in block
            ]
            for block in of_pace
        ]
        for pace, of_pace in blocks.items()
    }
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(kept, separators=(",", ":")).encode(), mtime=0))


def read(path: Path) -> dict[float, list[Block]]:
    kept = json.loads(gzip.decompress(path.read_bytes()))
    return {
        float(pace): [[request(*one) for one in block] for block in of_pace] for pace, of_pace in kept.items()
    }


def request(task: str, output_tokens: int | None, ttft_s: float, e2e_s: float) -> RequestRecord:
    first, end = round(ttft_s * 1e9), round(e2e_s * 1e9)
    return RequestRecord(
        run_id="r",
        worker_id="w",
        seq=1,
        path="api",
        task=task,
        phase=Phase.MEASURE,
        level=1,
        prompt_id="p",
        scheduled_ns=0,
        sent_ns=0,
        submitted_ns=0,
        first_token_ns=first,
        first_output_ns=first,
        last_output_ns=end,
        finished_ns=end,
        output_tokens=output_tokens,
        outcome=Outcome.OK,
    )


def value_of(one: RequestRecord, metric: str) -> float:
    (value,) = METRICS[metric].formula(one)
    return value


def run_of(blocks: Sequence[Block]) -> Observations:
    """A run of these blocks."""
    observations = Observations(METRICS_USED)
    seq = itertools.count(1)
    for number, block in enumerate(blocks):
        for one in block:
            observations.add(msgspec.structs.replace(one, block=number, seq=next(seq)))
    return observations


def rates(pairs: Iterable[tuple[Sequence[Block], Sequence[Block]]]) -> Rates:
    found = [(base, changes(run_of(base), run_of(new))) for base, new in pairs]
    requests = [sum(map(len, base)) for base, _ in found]
    seconds = [sum(value_of(one, "e2e_s") for block in base for one in block) for base, _ in found]
    return Rates(
        pairs=len(found),
        worse=sum(any(is_worse(change) for change in one) for _, one in found),
        better=sum(any(change.verdict is Verdict.BETTER for change in one) for _, one in found),
        whole=sum(any(is_worse(change) and is_whole(change) for change in one) for _, one in found),
        requests=float(np.mean(requests)),
        seconds=float(np.mean(seconds)),
    )


def is_worse(change: Change) -> bool:
    return change.verdict is Verdict.WORSE


def is_whole(change: Change) -> bool:
    measure = change.measure
    named = (
        getattr(measure, "metric", None) in ("ttft_s", "e2e_s") and getattr(measure, "quantile", None) == 0.5
    )
    return named and (change.place.task, change.place.level) == (None, None)


def resplits(
    one: list[Block], other: list[Block], m: int, n: int
) -> Iterable[tuple[Sequence[Block], Sequence[Block]]]:
    """n pairs of m blocks each; disjoint where both come from the same blocks."""
    rng = random.Random(m)
    for _ in range(n):
        if one is other:
            drawn = rng.sample(one, 2 * m)
            yield drawn[:m], drawn[m:]
        else:
            yield rng.sample(one, m), rng.sample(other, m)


def real_pairs(n: int) -> list[tuple[Sequence[Block], Sequence[Block]]]:
    """Whole runs, one after the other, each compared with the one before."""
    if not n:
        return []
    with tempfile.TemporaryDirectory(prefix="glm-diff-") as folder:
        with Testbed(web=False, jupyter=False, workdir=Path(folder, "testbed")) as testbed:
            for number in range(n + 1):
                compare(testbed, Path(folder, f"{number:03}"), 30)
        runs = [list(blocks_of(path.parent)) for path in sorted(Path(folder).glob("*/*/run.jsonl"))]
        return list(itertools.pairwise(runs))


def report(
    blocks: dict[float, list[Block]],
    n: int,
    lengths: Sequence[int],
    before: str | None = None,
    real: Sequence[tuple[Sequence[Block], Sequence[Block]]] = (),
) -> int:
    same, slower = blocks[1.0], blocks[SLOWER]
    rows, good = [], []
    for m in lengths:
        if 2 * m > len(same) or m > len(slower):
            continue
        false = rates(resplits(same, same, m, n))
        true = rates(resplits(same, slower, m, max(20, n // 5)))
        good.append((m, false.worse / false.pairs, true.whole / true.pairs))
        rows.append(
            (
                m,
                f"{false.requests:.0f}",
                f"{false.seconds:.0f} s",
                f"{false.worse} of {false.pairs} ({false.worse / false.pairs:.1%})",
                f"{false.better} of {false.pairs}",
                f"{true.whole} of {true.pairs} ({true.whole / true.pairs:.0%})",
            )
        )
    head = (
        "blocks",
        "n per run",
        "time in requests",
        'A/A: any "worse"',
        'any "better"',
        'A/B: median TTFT or E2E "worse"',
    )
    parts = [
        f"Recorded: {len(same)} blocks at the engine's pace, {len(slower)} at {SLOWER - 1:.0%} slower, one "
        "path, one user, five tasks. A/A pairs are disjoint random draws of the former.",
        table(head, rows),
    ]
    enough = next((m for m, false, true in good if true >= TRUE_AT_LEAST), None)
    if enough is not None:
        row = next(row for row in rows if row[0] == enough)
        parts.append(
            f"A {SLOWER - 1:.0%} slower engine is called worse in at least {TRUE_AT_LEAST:.0%} of all pairs "
            f"from {enough} blocks per run on: n = {row[1]}, {row[2]} of requests."
        )
    if real:
        found = rates(real)
        parts.append(
            f"Real pairs, each run compared with the one before (n = {found.requests:.0f}): {found.pairs} "
            f'pairs, any "worse" in {found.worse}, any "better" in {found.better}.'
        )
    title = "False and true differences of glm-locust diff"
    if before is None:
        print("\n\n".join((f"# {title}", *parts)))
    else:
        publish("diff_rates", title, before, *parts)
    # The share of a few hundred pairs strays by itself: three standard errors are allowed for.
    allowed = FALSE_AT_MOST + 3 * (FALSE_AT_MOST * (1 - FALSE_AT_MOST) / n) ** 0.5 * (n < 500)
    return (
        0 if all(false <= allowed for _, false, _ in good) and (before is None or enough is not None) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
