"""`glm-locust report`: writes the report of a finished run again, from its `run.jsonl`."""

import argparse
from pathlib import Path

from glm_locust.report import write_report


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "report",
        help="write the report of a run again from its run.jsonl",
        description="Writes summary.json, summary.md and report.html of a run again, from its run.jsonl "
        "and, where a testbed left one, its truth.jsonl.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="directory that holds run.jsonl")
    parser.add_argument("--lang", default="en", help="language of the report (default en)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report and print where; 0, or ConfigError where RUN_DIR holds no run."""
    paths = write_report(args.run_dir, lang=args.lang)
    print(paths.html)
    return 0
