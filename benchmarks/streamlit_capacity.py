"""How many streaming users one Streamlit process holds, and what it does when it holds too many.

    python benchmarks/streamlit_capacity.py [--levels 1,5,10,20,50] [--seconds 60]

The testbed's page in one real Streamlit process, behind it a model server that answers every question
with the same 100 tokens at 50 tokens/s, first token after 0.3 s, however many ask. The users ask back to
back, starting at random instants; the first question of each does not count. Script start is the time
from the question's submission to the start of the page's script run.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import machine
from benchmarks.programs import ROOT, CrowdProcess, crowd, steady_model, streamlit

TTFT_S = 0.3
RATE_HZ = 50
TOKENS = 100
PAGE = ROOT / "glm_locust/testbed/page.py"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--levels", default="1,5,10,20,50", help="users (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="per level (default %(default)g)")
    parser.add_argument(
        "--realtime", action="store_true", help="run before all other work of a machine that is not idle"
    )
    given = parser.parse_args()
    load = machine.load()
    rows = []
    with tempfile.TemporaryDirectory(prefix="glm-capacity-") as directory:
        workdir = Path(directory)
        with steady_model(workdir, TTFT_S, RATE_HZ, TOKENS) as (model, model_pid):
            env = {"GLM_TESTBED_API_URL": model, "GLM_TESTBED_MODEL": "steady"}
            with streamlit(PAGE, workdir, env) as (url, pid), crowd(url) as users:
                if given.realtime:
                    machine.go_first(model_pid, pid, users.pid)
                users.do(open=1)
                users.do(ask="warm-up of the server")
                for level in map(int, given.levels.split(",")):
                    rows.append(measure(users, level, given.seconds, psutil.Process(pid)))
                    print(rows[-1], file=sys.stderr)
    head = (
        *("users", "questions", "TTFT ms, median / p90", "script start ms, median / p90"),
        *(f"updates per answer of {TOKENS} tokens", "server CPU, share of a core", "server CPU ms/turn"),
        *("server waits for a core", "client CPU ms/turn", "failed"),
    )
    note = (
        f"Ideal TTFT: {TTFT_S * 1e3:g} ms. Page, model server and users share this machine's cores. "
        "*Waits for a core*: the Streamlit process' main thread, ready to run while others ran."
    )
    title = "Streaming users on one Streamlit process"
    machine.publish("streamlit_capacity", title, load, machine.table(head, rows), note)


def measure(users: CrowdProcess, level: int, seconds: float, server: psutil.Process) -> list[object]:
    """The row of one level."""
    users.do(open=level)
    cpu_s, waited_s, begin_s = machine.cpu_s([server]), machine.waited_s(server), machine.now_s()
    seen = users.do(stream="in a few words?", seconds=seconds)
    lasted_s = machine.now_s() - begin_s
    cpu_s = machine.cpu_s([server]) - cpu_s
    waited_s = machine.waited_s(server) - waited_s
    counted = [record for record in seen["records"] if not record["warmup"]]
    good = [record for record in counted if record["error"] is None]
    for record in [r for r in seen["records"] if r["error"] is not None][:3]:
        print(record["error"], file=sys.stderr)
    return [
        level,
        len(counted),
        _pair([record["ttft_ms"] for record in good]),
        _pair([record["accepted_ms"] for record in good]),
        f"{np.median([record['updates'] for record in good]):.0f}",
        f"{cpu_s / lasted_s:.0%}",
        f"{cpu_s / seen['questions'] * 1e3:.0f}",
        f"{waited_s / lasted_s:.0%}",
        f"{seen['cpu_s'] / seen['questions'] * 1e3:.1f}",
        len(counted) - len(good),
    ]


def _pair(values: Sequence[float]) -> str:
    return f"{np.quantile(values, 0.5):.0f} / {np.quantile(values, 0.9):.0f}"


if __name__ == "__main__":
    main()
