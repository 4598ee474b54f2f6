"""`glm-locust diff`: what changed from one run to another."""

import argparse
from pathlib import Path

from glm_locust.errors import ConfigError, ExitCode
from glm_locust.regression import SMALLEST_CHANGE, Condition, parse_condition
from glm_locust.report.diff import write_diff


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "diff",
        help="tell what changed from one run to another",
        description="Tells per metric, path and task what changed from BASE to NEW, with an interval and one "
        "of the words better, worse, no difference shown; all of them together are one claim. Runs that "
        "asked different things are refused.",
        epilog="Exit codes: 0 done, and no --fail-if came true; 3 one came true, 4 the runs cannot tell, "
        "64 something given is wrong, or the runs asked different things.",
    )
    parser.add_argument("base", type=Path, metavar="BASE", help="directory of the run to compare with")
    parser.add_argument("new", type=Path, metavar="NEW", help="directory of the run in question")
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help="exit with 3 where this is shown, like 'ttft p95 > +10 %%' or 'web/ocr: e2e p50 > +200 ms' "
        "(docs/VERDICTS.md); may be repeated",
    )
    parser.add_argument(
        "--smallest",
        default=f"{SMALLEST_CHANGE:.0%}",
        metavar="PERCENT",
        help=f"changes below this are neither better nor worse (default: {100 * SMALLEST_CHANGE:g} %%)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where diff.html, diff.md and diff.json go (default: NEW)"
    )
    parser.add_argument("--lang", default="en", help="language of the pages: en or zh (default: en)")
    parser.add_argument(
        "--allow-different-workload", action="store_true", help="compare runs that asked different things"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, print what is shown and where the page is; raises ConfigError where that cannot be done."""
    report = write_diff(
        args.base,
        args.new,
        out=args.out,
        lang=args.lang,
        conditions=[_condition(text) for text in args.fail_if],
        allow_different_workload=args.allow_different_workload,
        smallest_change=_share(args.smallest),
    )
    for line in report.lines:
        print(line)
    print(report.html)
    return report.difference.ruling.exit_code if args.fail_if else ExitCode.PASS


def _condition(text: str) -> Condition:
    try:
        return parse_condition(text)
    except ConfigError as error:
        raise ConfigError(f"--fail-if: {error}") from None


def _share(text: str) -> float:
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < 100:
        raise ConfigError(f"--smallest: expected a share like 3 %, got {text!r}")
    return percent / 100
