"""How far our TTFT is from the truth: the testbed's own log of each request beside our record.

    python benchmarks/accuracy.py [--levels 1,20] [--repeats 20]

Runs a comparison on the embedded testbed, generator and server on the same cores. For the API path
the error is |TTFT - (first token written - request received)|: all that our client, the loopback
and the server's reading of the body add. For pages, whose TTFT has more in it than the model, the
delay from the server's first token to ours is printed for information.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from glm_locust.layers import TruthLine, decode_truth_line, join
from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.records import PathId, RequestRecord, decode_line

EXPLAINED = """Generator (2 workers), page server, Jupyter and simulated model share the machine's cores.
The error is |TTFT - (first token written - request received)|, by the model server's own log."""
MEDIAN_BOUND_MS = 2.0
P95_BOUND_MS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--levels", default="1,20", help="concurrent users (default %(default)s)")
    parser.add_argument("--repeats", default="20", help="questions per task, path, level (default 20)")
    parser.add_argument("--workers", default="2", help="Locust workers (default %(default)s)")
    parser.add_argument("--preset", default="demo", help="speed of the model (default %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glm-accuracy-") as out:
        command = [sys.executable, "-m", "glm_locust", "compare", f"--out={out}", "--seed=1"]
        command += [f"--{name}={value}" for name, value in vars(args).items()]
        before = machine.load()
        if (code := subprocess.run(command, check=False).returncode) != 0:
            print(f"the comparison ended with code {code}", file=sys.stderr)
            return code
        (run_dir,) = (path.parent for path in Path(out).glob("*/run.jsonl"))
        lines, held = report(list(records_of(run_dir)), list(truth_of(run_dir)))
    table = "```\n" + "\n".join(lines) + "\n```"
    machine.publish("accuracy", "API TTFT against the server's truth", before, EXPLAINED, table)
    return 0 if held else 1


def records_of(run_dir: Path) -> Iterator[RequestRecord]:
    """The measured requests of a run."""
    with (run_dir / "run.jsonl").open("rb") as file:
        for line in map(decode_line, file):
            if isinstance(line, RequestRecord) and enters_statistics(line):
                yield line


def truth_of(run_dir: Path) -> Iterator[TruthLine]:
    """The server's own log of it."""
    with (run_dir / "truth.jsonl").open("rb") as file:
        yield from map(decode_truth_line, file)


def report(records: Sequence[RequestRecord], truth: Sequence[TruthLine]) -> tuple[list[str], bool]:
    """The tables, and whether the API path is within its bounds."""
    lines: list[str] = []
    errors: dict[int, list[tuple[float, ...]]] = defaultdict(list)
    delays: dict[tuple[str, int], list[float]] = defaultdict(list)
    for record, line in join(records, truth).pairs:
        if line.first_token_ns is None or line.received_ns is None or record.first_token_ns is None:
            continue
        assert record.level is not None
        out_ms = (record.first_token_ns - line.first_token_ns) / 1e6
        delays[record.path, record.level].append(out_ms)
        if record.path == PathId.API:
            (ttft_s,) = METRICS["ttft_s"].formula(record)
            (kernel_s,) = METRICS["ttft_kernel_s"].formula(record) or (float("nan"),)
            model_ms = (line.first_token_ns - line.received_ns) / 1e6
            error_ms = abs(ttft_s * 1e3 - model_ms)
            errors[record.level].append((error_ms, error_ms - abs(out_ms), out_ms, kernel_s * 1e3 - model_ms))
    lines.append(f"{len(records)} requests measured, times in ms")
    bounds = f"bounds: {MEDIAN_BOUND_MS:g}, {P95_BOUND_MS:g}"
    lines.append(f"{'users':>5} {'n':>5} {'median':>8} {'p95':>8} {'max':>8}   {bounds}")
    held = bool(errors)
    for level, rows in sorted(errors.items()):
        table = np.array(rows)
        median, p95, most = (float(q) for q in np.quantile(table[:, 0], (0.5, 0.95, 1)))
        holds = median <= MEDIAN_BOUND_MS and p95 <= P95_BOUND_MS
        held &= holds
        verdict = "held" if holds else "EXCEEDED"
        lines.append(f"{level:5d} {len(rows):5d} {median:8.2f} {p95:8.2f} {most:8.2f}   {verdict}")
        for name, column in (("sending", 1), ("receiving", 2), ("by kernel stamps", 3)):
            median, p95 = (float(q) for q in np.nanquantile(table[:, column], (0.5, 0.95)))
            lines.append(f"      {name:>18}: median {median:.2f}, p95 {p95:.2f}")
    lines.append("\nfrom the server's first token to ours, in ms, for information")
    for (path, level), values in sorted(delays.items()):
        median, p95 = (float(q) for q in np.quantile(values, (0.5, 0.95)))
        lines.append(f"{path:>12} {level:3d} users  n {len(values):4d}  median {median:7.2f}  p95 {p95:7.2f}")
    return lines, held


if __name__ == "__main__":
    sys.exit(main())
