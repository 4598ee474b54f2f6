"""The `--glm-*` options on Locust's command line."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from glm_locust.config import OPTIONS, Scenario, load_scenario
from glm_locust.errors import ConfigError

GROUP = "glm_locust"
PREFIX = "--glm-"

START_FORM = (
    "tasks",
    "repeats",
    "levels",
    "warmup",
    "prompt_lang",
    "think_time",
    "max_tokens",
    "image_size",
    "seed",
    "lang",
)
"""Fields of the start form of Locust's web page.

What decides where requests go, with which secret, or where files are written is left to the command line:
the form is for whoever reaches the page.
"""


@dataclass(frozen=True, slots=True)
class DeliveryOptions:
    """Where records wait to be delivered and how long the end may take."""

    spool_dir: Path | None
    drain_timeout_s: float
    allow_lost_workers: bool


def add_options(parser: ArgumentParser) -> None:
    """Add our options; values stay text here, so that a bad one gets our message and exit code."""
    group = parser.add_argument_group(GROUP)
    option = group.add_argument
    option(
        f"{PREFIX}scenario",
        metavar="FILE",
        help="TOML file with what the options below say; an option goes before the file",
    )
    for row in OPTIONS:
        added = option(PREFIX + row.word, **row.parsing)
        # Locust takes it for a field of its form by this attribute, which an option of a group lacks.
        added.include_in_web_ui = row.key in START_FORM  # type: ignore[attr-defined]
    option(
        f"{PREFIX}spool-dir",
        metavar="DIR",
        help="on each worker, for records that are not yet delivered (default: OUT/RUN/spool)",
    )
    option(
        f"{PREFIX}drain-timeout",
        metavar="SECONDS",
        default="30",
        help="how long requests in flight may take at the end before they are cancelled (default: 30)",
    )
    option(
        f"{PREFIX}allow-lost-workers",
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


def read_scenario(options: Namespace) -> Scenario:
    """What file and options say; without a seed, each call draws one. Raises ConfigError."""
    if not hasattr(options, "glm_scenario"):
        raise ConfigError("call glm_locust.plugin.install() at the top of the locustfile, not in a function")
    base = load_scenario(options.glm_scenario) if options.glm_scenario else Scenario()
    given = {row.key: getattr(options, f"glm_{row.key}") for row in OPTIONS}
    given |= {key: None for key in START_FORM if given[key] == ""}  # a field that was left empty
    return base.merge(given, prefix=PREFIX)


def read_delivery(options: Namespace) -> DeliveryOptions:
    """Read our other options; raises ConfigError."""
    spool = options.glm_spool_dir
    return DeliveryOptions(
        spool_dir=Path(spool) if spool else None,
        drain_timeout_s=_seconds(f"{PREFIX}drain-timeout", options.glm_drain_timeout),
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
