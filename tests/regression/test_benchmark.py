"""The benchmark of error rates runs, on the kept recording and a few pairs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_short_mode_of_the_benchmark() -> None:
    command = [sys.executable, "benchmarks/diff_rates.py", "--short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'A/A: any "worse"' in done.stdout
