"""What sampling costs the load generator: generator lag with and without it, side by side.

    python benchmarks/sampling_cost.py [--seconds 60] [--users 4]

Two comparisons run at the same time against one testbed, on the same cores: one takes samples of an
exporter (host and processes, 20 Hz GPU rows too where there is a GPU) and of the testbed's metrics,
the other takes none. What else happens on the machine hits both. Generator lag is the time from the
kernel's arrival stamp of the first token to Python's reading of it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.testbed import Testbed
from tests.exporter.rig import Exporter


def started(out: Path, api_url: str, args: argparse.Namespace, *sources: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "glm_locust", "compare", f"--api={api_url}", f"--out={out}", *sources]
    command += [f"--levels={args.users}", f"--run-time={args.seconds}s", "--workers=1"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def lag_of(out: Path) -> dict[str, Any]:
    (summary,) = out.glob("*/summary.json")
    found: dict[str, Any] = json.loads(summary.read_text())["quality"]["generator_lag_s"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="length of the runs (default %(default)s)")
    parser.add_argument("--users", type=int, default=4, help="users of each run (default %(default)s)")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="glm-sampling-") as directory,
        Testbed(web=False) as testbed,
        Exporter(None, None) as exporter,
    ):
        outs = {"with": Path(directory) / "with", "without": Path(directory) / "without"}
        sources = (f"--exporter={exporter.url}", f"--metrics={testbed.api_url}")
        runs = [
            started(outs["with"], testbed.api_url, args, *sources),
            started(outs["without"], testbed.api_url, args),
        ]
        codes = [run.wait() for run in runs]
        if any(codes):
            print(f"a comparison ended with code {max(codes)}", file=sys.stderr)
            return 1
        print(f"{'sampling':10}{'n':>6}{'p50 us':>9}{'p95 us':>9}{'p99 us':>9}{'max us':>9}")
        for name, out in outs.items():
            lag = lag_of(out)
            figures = "".join(
                f"{'n/a' if lag[key] is None else format(lag[key] * 1e6, '.0f'):>9}"
                for key in ("p50", "p95", "p99", "max")
            )
            print(f"{name:10}{lag['n']:6}{figures}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
