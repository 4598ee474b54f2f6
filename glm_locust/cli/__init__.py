"""The command `glm-locust`; each subcommand is a module of its own with `add_parser` and `run`."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from glm_locust import __version__
from glm_locust.errors import ConfigError, ExitCode, GlmLocustError

COMMANDS = {
    "compare": "compare a Streamlit page with the API of the same model",
    "ask": "ask one question by hand and see what comes of it",
    "testbed": "run the simulated model server with its page and Jupyter proxy",
    "report": "write the report of a run again from its run.jsonl",
    "diff": "tell what changed from one run to another",
    "export": "write a finished run for Prometheus",
    "doctor": "tell what this machine can be trusted to measure",
    "recover": "rebuild a run from the spools of its workers",
}
"""Only the module of the command that is typed is imported: a missing extra breaks no other."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and exits with 64."""

    def error(self, message: str) -> None:  # type: ignore[override] # argparse says NoReturn; so does exit
        """End the process."""
        self.exit(ExitCode.USAGE, f"glm-locust: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = args.run
        code = int(command(args))
        sys.stdout.flush()
    except ConfigError as error:
        return _fail(str(error), ExitCode.USAGE)
    except GlmLocustError as error:
        return _fail(str(error), ExitCode.CRASH)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `head` does. What Python would flush at its end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PASS
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(prog="glm-locust", description="Load testing of multimodal LLM servers with Locust.")
    parser.add_argument("--version", action="version", version=f"glm-locust {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    typed = next((word for word in arguments if not word.startswith("-")), None)
    for name, text in COMMANDS.items():
        if name == typed:
            _module(name).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=text)
    return parser


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"glm_locust.cli.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("glm_locust"):
            raise
        raise ConfigError(
            f"{name} needs the package {error.name}; install glm-locust[{name}] or that package"
        ) from None


def _fail(text: str, code: ExitCode) -> int:
    sys.stderr.write(f"glm-locust: {text}\n")
    return code
