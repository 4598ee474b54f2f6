"""`glm-locust compare --arrivals`: paths meet the same arrivals, one after the other."""

import json
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from glm_locust.records import Phase
from tests.comparison.command import Command
from tests.comparison.conftest import Server
from tests.plugin.team import read

pytestmark = pytest.mark.servers


def test_both_paths_meet_the_same_arrivals(command: Command, server: Server) -> None:
    targets = [option for option in command.against(server.testbed) if "jupyter" not in option]
    code = command.run(
        *targets,
        "--arrivals=poisson:8/s",
        "--max-in-flight=12",
        "--repeats=6",
        "--tasks=ocr,chart",
        "--seed=5",
    )
    assert code == 0, command.said
    (run_dir,) = command.run_dirs
    result = read(run_dir)
    measured = [record for record in result.records if record.phase is Phase.MEASURE]
    assert Counter((r.path, r.task) for r in measured) == Counter(
        {(path, task): 6 for path in ("api", "web") for task in ("ocr", "chart")}
    )
    assert {record.level for record in measured} == {None}
    assert Counter(record.prompt_id for record in result.records) == Counter(server.finished())
    due = defaultdict(list)
    for record in sorted(measured, key=lambda record: record.scheduled_ns):
        due[record.path].append(record.scheduled_ns)
    gaps = {path: [b - a for a, b in pairwise(instants)] for path, instants in due.items()}
    assert gaps["api"] == pytest.approx(gaps["web"], abs=1000), "the same process, drawn once for both"
    assert len({record.worker_id for record in measured}) == 2
    assert result.footer is not None
    assert result.footer.arrivals == {"started": 24, "dropped": 0}
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["quality"]["arrivals"] == {"process": "poisson:8/s", "started": 24, "dropped": 0}
    assert "poisson:8/s" in (run_dir / "report.html").read_text()
    assert "Median TTFT in seconds, poisson:8/s" in command.printed


def test_dropped_requests_are_told_everywhere(command: Command, server: Server) -> None:
    code = command.run(
        f"--api={server.testbed.api_url}",
        "--arrivals=constant:40/s",
        "--max-in-flight=2",
        "--repeats=40",
        "--tasks=ocr",
        "--warmup=0",
        "--lang=zh",
    )
    assert code == 0, command.said
    (run_dir,) = command.run_dirs
    result = read(run_dir)
    assert result.footer is not None
    assert result.footer.arrivals is not None
    dropped = result.footer.arrivals["dropped"]
    assert dropped == 40 - len(result.records)
    assert dropped > 20
    assert f"{dropped} of 40 requests" in command.said
    assert f"Dropped: {dropped} of 40" in command.printed
    assert "丢弃" in (run_dir / "report.html").read_text()
