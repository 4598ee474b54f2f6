"""`glm-locust testbed`: runs the embedded system under test until it is told to stop."""

import argparse
import signal
import time
from pathlib import Path

from glm_locust.cli.engine import add_engine_options, engine_of
from glm_locust.testbed import DEFAULT_PRESET, ENGINE_NOTE, PRESET_NOTE, PRESETS, Testbed

_CHECK_S = 1.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "testbed",
        help="run a simulated model server, or a real engine, with its page and Jupyter proxy",
        description="Runs a simulated model server, or a real engine with a tiny model, a Streamlit page "
        "that calls it and a Jupyter proxy in front of the page, on 127.0.0.1, until Ctrl-C or SIGTERM.",
    )
    add_engine_options(parser)
    parser.add_argument(
        "--preset", choices=sorted(PRESETS), help="speed of the simulated model (default: demo)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the answers (default 0)")
    for server in ("api", "web", "jupyter"):
        parser.add_argument(
            f"--port-{server}", type=_port, default=0, metavar="N", help="default: a free port"
        )
    parser.add_argument(
        "--api-key-env", metavar="NAME", help="environment variable with the API key that the server asks for"
    )
    parser.add_argument("--no-web", action="store_true", help="without the page and the Jupyter proxy")
    parser.add_argument("--no-jupyter", action="store_true", help="without the Jupyter proxy")
    parser.add_argument(
        "--truth-log", type=Path, metavar="FILE", help="keep the server's own record of each request"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[:NAME=VALUE,...]",
        help="what goes wrong with the next requests: delay, cut, 500, garbage or stall; names are count, "
        "seconds, after_tokens; may be given several times",
    )
    parser.add_argument(
        "--pace-file",
        type=Path,
        metavar="FILE",
        help="lines of SECONDS FACTOR: from then on (seconds since the epoch) the model is so much slower",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the testbed; 0 when told to stop.

    Raises ConfigError for options that cannot be met, TestbedError where a server fails by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    engine = engine_of(args)
    testbed = Testbed(
        preset=args.preset or DEFAULT_PRESET,
        seed=args.seed,
        api_port=args.port_api,
        web_port=args.port_web,
        jupyter_port=args.port_jupyter,
        web=not args.no_web,
        jupyter=not args.no_jupyter,
        api_key_env=args.api_key_env,
        faults=args.fault,
        truth_log=args.truth_log,
        pace_file=args.pace_file,
        engine=engine,
    )
    try:
        with testbed:
            print(_announcement(testbed, real=engine is not None), flush=True)
            while True:
                time.sleep(_CHECK_S)
                testbed.check()
    except KeyboardInterrupt:
        return 0


def _announcement(testbed: Testbed, *, real: bool) -> str:
    lines = [f"API      {testbed.api_url}/v1"]
    if testbed.web_url is not None:
        lines.append(f"page     {testbed.web_url}")
    if testbed.web_jupyter_url is not None:
        lines.append(f"Jupyter  {testbed.web_jupyter_url}")
        lines.append(f"         token in the file {testbed.jupyter_token_file}")
    if not real:
        lines.append(f"truth    {testbed.truth_log}")
    return "\n".join([*lines, "", ENGINE_NOTE["en"] if real else PRESET_NOTE["en"], "Ctrl-C ends it."])


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return number
