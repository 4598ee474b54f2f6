"""The `--glm-*` options on Locust's command line."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from glm_locust.errors import ConfigError

GROUP = "glm_locust"


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Where records go and how long the end may take."""

    out: Path
    spool_dir: Path | None
    drain_timeout_s: float
    allow_lost_workers: bool

    def spool_of(self, run_id: str) -> Path:
        """The directory of this run's spools."""
        return self.spool_dir / run_id if self.spool_dir is not None else self.out / run_id / "spool"


def add_options(parser: ArgumentParser) -> None:
    """Add our options; values stay text here, so that a bad one gets our message and exit code."""
    group = parser.add_argument_group(GROUP)

    option = group.add_argument  # an option of a group is no field of the dashboard's start form
    option("--glm-out", metavar="DIR", default="runs", help="each run gets a directory of its own in it")
    option(
        "--glm-spool-dir",
        metavar="DIR",
        help="on each worker, for records that are not yet delivered (default: OUT/RUN/spool)",
    )
    option(
        "--glm-drain-timeout",
        metavar="SECONDS",
        default="30",
        help="how long requests in flight may take at the end before they are cancelled",
    )
    option(
        "--glm-allow-lost-workers",
        action="store_true",
        help="do not call the run invalid (exit code 4) when a worker is lost",
    )


def default_options() -> Namespace:
    """Locust's options and ours as if nothing was typed, for an environment made by a program."""
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_options(parser)
    options: Namespace = parser.parse_args([])
    return options


def delivery_options(options: Namespace) -> DeliveryOptions:
    """Read them; raises ConfigError."""
    if not hasattr(options, "glm_out"):
        raise ConfigError("call glm_locust.plugin.install() at the top of the locustfile, not in a function")
    spool = options.glm_spool_dir
    return DeliveryOptions(
        out=Path(options.glm_out),
        spool_dir=Path(spool) if spool else None,
        drain_timeout_s=_seconds("--glm-drain-timeout", options.glm_drain_timeout),
        allow_lost_workers=options.glm_allow_lost_workers,
    )


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{name}: expected a number of seconds, 0 or more, got {text!r}")
    return value
