"""The short table of a finished comparison: median TTFT by task and path, and what a page adds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_NOTHING = "n/a"


def print_results(run_dir: Path, stream: TextIO) -> None:
    """Print the table from the run's `summary.json`, and where the report is."""
    try:
        summary = json.loads((run_dir / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stream.write(f"No report was written; the records are in {run_dir}\n")
        return
    stream.write("\n".join(["", *lines_of(summary), "", f"Report: {run_dir / 'report.html'}"]) + "\n")


def lines_of(summary: dict[str, Any]) -> Iterator[str]:
    """The table's lines, one block per level, or one for an open loop."""
    metric = summary["compared_on"]
    label = {"ttft_s": "TTFT", "ttfo_s": "TTFO"}.get(metric, metric)
    loads = {f"{level} user{'s' if level != '1' else ''}": of for level, of in summary["levels"].items()}
    arrivals = summary["quality"]["arrivals"]
    if arrivals is not None:
        loads = {arrivals["process"]: summary}
    for load, of in loads.items():
        paths = list(of["paths"])
        over = [path for path in paths if path != "api" and "api" in paths]
        yield f"Median {label} in seconds, {load} (n: answers per task)"
        heads = [*paths, *(f"{path}-api" for path in over)]
        yield f"  {'task':<10}{'n':>6}" + "".join(f"{head:>18}" for head in heads)
        for task, by_path in of["tasks"].items():
            counts = {stats["n"] for stats in by_path.values()}
            n = str(counts.pop()) if len(counts) == 1 else f"{min(counts)}-{max(counts)}"
            medians = {path: _median(by_path.get(path), metric) for path in paths}
            cells = [_seconds(medians[path]) for path in paths]
            cells += [_added(medians[path], medians["api"]) for path in over]
            yield f"  {task:<10}{n:>6}" + "".join(f"{cell:>18}" for cell in cells)
    run, counts = summary["run"], summary["counts"]
    if run["simulated"]:
        yield "The model was simulated: the api columns are set by its preset, the differences are measured."
    if counts["failed"]:
        kinds = ", ".join(f"{row['n']} {row['kind']} on {row['path']}" for row in summary["failures"])
        yield f"Failed: {kinds}"
    if arrivals is not None and arrivals["dropped"]:
        yield f"Dropped: {arrivals['dropped']} of {arrivals['dropped'] + (arrivals['started'] or 0)} requests"
    if run["partial"]:
        yield f"Partial: the run ended before its plan did ({run['reason']})."


def _median(stats: dict[str, Any] | None, metric: str) -> float | None:
    stat = stats and stats.get(metric)
    return stat["p50"] if stat else None


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _added(value: float | None, base: float | None) -> str:
    if value is None or base is None or base <= 0:
        return _NOTHING
    return f"+{value - base:.3f} ({(value - base) / base:+.0%})".replace("+-", "-")
