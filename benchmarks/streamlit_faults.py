"""The table of faults: what goes wrong at a page, what it is called, and in which words.

`python benchmarks/streamlit_faults.py [FILE]` makes each fault of the tests happen to one user, by real
Streamlit or a scripted page, asks again, and writes a Markdown table.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from glm_locust.config import WebTarget
from glm_locust.records import Outcome
from glm_locust.users.streamlit_client import StreamlitClient
from tests.users.faults import FAULTS, Fault, Stage, ask, stage

QUESTION = "all well? [n=3 ttft=0.01 gap=0.01]"


def row(fault: Fault, on: Stage) -> str:
    client = StreamlitClient(WebTarget(fault.url(on), deadlines=fault.deadlines))
    try:
        ask(client, QUESTION)
        with fault.begin(on):
            record = ask(client, fault.prompt, fault.images)
        after = ask(client, QUESTION)
    finally:
        client.close()
    by = "scripted page" if fault.scripted else "Streamlit"
    line = (record.error_detail or "").replace("|", "\\|")
    code = "-" if fault.exit_code is None else fault.exit_code
    then = "ok" if after.outcome is Outcome.OK else f"{after.error_kind}: {after.error_detail}"
    return f"| {fault.name} | {by} | `{record.error_kind}` | {line} | {code} | {then} |"


def main() -> None:
    lines = [
        "| fault | made by | kind | line | exit code of `ask` | next request of that user |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as workdir, stage(Path(workdir)) as on:
        for fault in FAULTS:
            lines.append(row(fault, on))
            print(lines[-1], flush=True)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
