"""Runs the benchmarks one after the other and keeps what each printed in `results/`.

    python benchmarks/run.py [NAME ...]

About 80 minutes for all, on a machine that does nothing else. A figure that misses its bound is kept as
it is; the exit code is then 1.
"""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine

HERE = Path(__file__).parent
OWN_RESULTS = ("accuracy", "open_loop", "streamlit_browser", "streamlit_capacity", "streamlit_scale")
"""These write their results themselves."""
PRINTED = {
    "correlation": "What the correlation claims of simulated runs whose truth is known",
    "exporter_cost": "What the GPU exporter costs",
    "gpu_correlation_e2e": "What the report claims of a scripted GPU, end to end",
    "master_cost": "What dashboard and Prometheus cost a master",
    "sampling_cost": "Generator lag with and without sampling",
    "streamlit_apps": "Apps nobody prepared, asked without a word about them",
}
RESULT_FILE = {"streamlit_faults": "Faults of a page"}
"""These are given the name of a file."""
NAMES = sorted((*OWN_RESULTS, *PRINTED, *RESULT_FILE))


def run(name: str) -> bool:
    """Carry out one; whether it held what it promises."""
    command = [sys.executable, "-u", str(HERE / f"{name}.py")]
    print(f"== {name}", flush=True)
    if name in OWN_RESULTS:
        return subprocess.run(command, check=False).returncode == 0
    if name in RESULT_FILE:
        target = machine.RESULTS / f"{name}.md"
        return subprocess.run([*command, str(target)], check=False).returncode == 0
    before = machine.load()
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    machine.publish(name, PRINTED[name], before, f"```\n{done.stdout.strip()}\n```", command=f"{name}.py")
    return done.returncode == 0


def main() -> int:
    """Run what was asked for, or everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    missed = [name for name in names if not run(name)]
    if missed:
        print(f"not as promised: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
