"""`glm-locust report`: writes the report of a finished run again, from its `run.jsonl`."""

import argparse
from pathlib import Path

from glm_locust.errors import ConfigError, ExitCode
from glm_locust.report import write_report
from glm_locust.sinks import check_file
from glm_locust.slo import Objective, parse


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "report",
        help="write the report of a run again from its run.jsonl",
        description="Writes summary.json, summary.md and report.html of a run again, from its run.jsonl "
        "and, where a testbed left one, its truth.jsonl. A run with objectives is judged again.",
        epilog="Exit codes: 0 done, and every objective met; 3 an objective was not met, "
        "4 the run cannot tell, 64 something given is wrong.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="directory that holds run.jsonl")
    parser.add_argument("--lang", default="en", help="language of the report: en or zh (default: en)")
    parser.add_argument(
        "--slo",
        action="append",
        metavar="OBJECTIVE",
        help="what the run must have met, in place of its own objectives (docs/VERDICTS.md); may be repeated",
    )
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="JUnit file with a test case per objective"
    )
    parser.add_argument(
        "--allow-lost-workers", action="store_true", help="do not call the run invalid when a worker was lost"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the report, print the verdicts and where it is; raises ConfigError where there is no run."""
    objectives = None if args.slo is None else [_objective(text) for text in args.slo]
    if args.junit is not None:
        check_file(args.junit, "--junit")
    report = write_report(
        args.run_dir,
        lang=args.lang,
        objectives=objectives,
        junit=args.junit,
        allow_lost_workers=args.allow_lost_workers,
    )
    for line in report.lines:
        print(line)
    print(report.html)
    return ExitCode.PASS if report.judgement is None else report.judgement.exit_code


def _objective(text: str) -> Objective:
    try:
        return parse(text)
    except ConfigError as error:
        raise ConfigError(f"--slo: {error}") from None
