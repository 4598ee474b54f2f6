"""The options that put a real engine in the testbed's API place."""

import argparse
import sys

from glm_locust.errors import ConfigError
from glm_locust.testbed import ENGINES, Engine, engine_python


def add_engine_options(parser: "argparse._ActionsContainer") -> None:
    """Add `--engine` and `--engine-python`."""
    parser.add_argument(
        "--engine",
        metavar="NAME",
        help=f"serve a tiny model by a real engine in place of the simulated one: {' or '.join(ENGINES)}",
    )
    parser.add_argument(
        "--engine-python",
        metavar="FILE",
        help="the Python that the engine is installed for (default: that of glm-locust)",
    )


def engine_of(args: argparse.Namespace) -> Engine | None:
    """The engine asked for; None: the simulated model. Raises ConfigError where it is not installed."""
    if args.engine is None:
        if args.engine_python is not None:
            raise ConfigError("--engine-python: expected --engine to be given as well")
        return None
    if args.preset is not None:
        raise ConfigError("--preset: expected no --engine, since it sets the speed of the simulated model")
    return Engine(args.engine, engine_python(args.engine_python, sys.executable))
