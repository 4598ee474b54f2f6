"""`glm-locust export`: a finished run in the formats of other tools."""

import argparse
from pathlib import Path

from glm_locust.errors import ConfigError, ExitCode
from glm_locust.exposition.history import Past, openmetrics
from glm_locust.exposition.sampled import sampled_series
from glm_locust.records import RequestRecord
from glm_locust.report.reading import read_run
from glm_locust.samples.store import read_samples
from glm_locust.sinks import check_file

DEFAULT_STEP_S = 1.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "export",
        help="write a finished run for Prometheus",
        description="Writes the metrics of a finished run, from its run.jsonl and samples, under the names "
        "that a live run serves them by (docs/PROMETHEUS.md). Load the file with "
        "'promtool tsdb create-blocks-from openmetrics FILE DIR'.",
        epilog="Exit codes: 0 done, 64 something given is wrong.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="directory that holds run.jsonl")
    parser.add_argument(
        "--openmetrics", type=Path, metavar="FILE", required=True, help="OpenMetrics text with timestamps"
    )
    parser.add_argument(
        "--step",
        metavar="SECONDS",
        default=str(DEFAULT_STEP_S),
        help="time between two samples of a series, as a scrape interval (default: 1)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file; raises ConfigError where there is no run or the file cannot be written."""
    step_s = _step(args.step)
    check_file(args.openmetrics, "--openmetrics")
    records: list[RequestRecord] = []
    ends = read_run(args.run_dir, records.append)
    past = Past(ends.header, ends.footer, records, sampled_series(read_samples(args.run_dir)))
    try:
        with args.openmetrics.open("w", encoding="utf-8") as file:
            file.writelines(openmetrics(past, step_s))
    except OSError as error:
        raise ConfigError(f"--openmetrics: cannot write {args.openmetrics}: {error.strerror}") from None
    print(args.openmetrics)
    return ExitCode.PASS


def _step(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 3600:
        raise ConfigError(f"--step: expected a number of seconds from 0.01 to 3600, got {text!r}")
    return value
