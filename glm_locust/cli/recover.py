"""`glm-locust recover`: rebuild a run after a crash."""

import argparse
import importlib
from pathlib import Path

from glm_locust.errors import ExitCode, one_line
from glm_locust.run.recovery import recover


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "recover",
        help="rebuild a run from the spools of its workers",
        description="Puts every finished request of a crashed run into its run.jsonl exactly once and "
        "writes its footer and report. Spools lie in RUN_DIR/spool on each host that ran workers, or where "
        "--glm-spool-dir said; copy those of other hosts here first.",
    )
    parser.add_argument("run_dir", metavar="RUN_DIR", type=Path, help="directory of the run")
    parser.add_argument(
        "spools",
        metavar="SPOOL",
        type=Path,
        nargs="*",
        default=[],
        help="spool files, or directories of them",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Recover and say what was found."""
    recovery = recover(args.run_dir, args.spools)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in recovery.footer.counts.items())
    if not recovery.changed:
        print(f"{args.run_dir} is whole, nothing to recover: {counts}")
        return ExitCode.PASS
    print(f"{args.run_dir}: {recovery.kept} records kept, {recovery.recovered} recovered: {counts}")
    for note in recovery.footer.notes:
        print(f"  {one_line(note)}")
    report = importlib.import_module("glm_locust.report")  # slow: numpy and Plotly
    report.write_report(args.run_dir)
    return ExitCode.PASS
