"""`glm-locust ask`: one request by hand, the answer as it comes, then all that is known of it.

Locust is not imported: this is the first thing to run against an unknown page, and it starts fast.
"""

import argparse
import importlib
import json
import sys

import gevent.monkey

from glm_locust.cli.ask_target import target_of
from glm_locust.cli.asked import Asked
from glm_locust.cli.terminal import printable
from glm_locust.cli.transcript import Transcript
from glm_locust.config import ApiTarget
from glm_locust.datasets import load_image
from glm_locust.errors import ConfigError, ExitCode
from glm_locust.records import Outcome
from glm_locust.workload.prompt import Prompt

DEFAULT_PROMPT = "Say hello in one short sentence."


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "ask",
        help="ask one question by hand and see what comes of it",
        description="Sends one request to an OpenAI-compatible server or to a Streamlit page, shows the "
        "answer as it comes, then its record: instants, TTFT, tokens, bytes; for a page also the widgets "
        "found, used and ignored, and why one text was taken for the answer.",
        epilog="Exit codes: 0 answered, 1 the request failed, 64 something given is wrong or the target "
        "cannot be asked, 130 interrupted.",
        allow_abbrev=False,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--api", metavar="URL", help="OpenAI-compatible server, with or without /v1")
    where.add_argument("--web", metavar="URL", help="Streamlit page, directly or behind a Jupyter proxy")
    parser.add_argument("--prompt", metavar="TEXT", default=DEFAULT_PROMPT, help=f"default: {DEFAULT_PROMPT}")
    parser.add_argument(
        "--image", metavar="FILE", action="append", default=[], help="PNG or JPEG; may be given several times"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument(
        "--explain", action="store_true", help="show each request and message both ways with its time"
    )
    target = parser.add_argument_group("target")
    for word, metavar, text in (
        ("model", "NAME", "model to ask for (default: the first that the server lists)"),
        ("max-tokens", "N", "longest answer to ask the API for"),
        ("api-key-env", "NAME", "environment variable that holds the API key"),
        ("api-key-file", "FILE", "file that holds the API key"),
        ("http-client", "NAME", "gevent (default) or httpx: for the API through proxies and by HTTP/2"),
        ("jupyter-token-env", "NAME", "environment variable that holds the token of Jupyter"),
        ("jupyter-token-file", "FILE", "file that holds the token of Jupyter"),
        ("ca", "FILE", "certificate authorities to trust, PEM"),
        ("timeout", "SECONDS", "longest duration of the request (default: 300)"),
    ):
        target.add_argument(f"--{word}", metavar=metavar, help=text)
    target.add_argument(
        "--no-think-tags",
        action="store_const",
        const=True,
        help="take <think>...</think> in the text of the API for part of the answer",
    )
    target.add_argument(
        "--header", metavar="'NAME: VALUE'", action="append", help="HTTP header; no secrets; repeatable"
    )
    target.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="settings",
        help="any key of the target's table in a scenario file, like prompt_widget.label=Question, "
        "page=Chat or deadlines.first_output_s=20; repeatable",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and return the exit code; raises ConfigError for what cannot be asked."""
    target = target_of(args)
    if not args.prompt.strip():
        raise ConfigError("--prompt: expected a text, got an empty one")
    prompt = Prompt("ask", args.prompt, tuple(load_image(name) for name in args.image))
    if sys.stdout.encoding.lower().replace("-", "") != "utf8":
        _escape_unencodable()
    tell = _tell_line if args.explain and not args.json else None
    transcript = Transcript(tell) if args.explain else None
    told: list[str] = []

    def on_text(text: str) -> None:
        told.append(text)
        sys.stdout.write(printable(text))
        sys.stdout.flush()

    speak = None if args.json or args.explain else on_text
    if isinstance(target, ApiTarget) and target.http_client == "httpx":
        gevent.monkey.patch_all()  # before anything takes sockets: else no deadline could end its reads
    inquiry = importlib.import_module("glm_locust.cli.inquiry")
    with inquiry.asker(target, transcript, speak) as ask:
        asked, interrupted = ask(prompt)
    if args.json:
        messages = {"messages": transcript.as_json()} if transcript is not None else {}
        print(json.dumps(asked.as_json() | messages))
    else:
        _show(asked, "".join(told))
    if interrupted:
        return ExitCode.INTERRUPTED
    if asked.refusal is not None:
        raise ConfigError(asked.refusal)
    ok = asked.record is not None and asked.record.outcome is Outcome.OK
    return ExitCode.PASS if ok else ExitCode.FAILED_REQUESTS


def _show(asked: Asked, told: str) -> None:
    answer = asked.answer.strip()
    if told and not told.endswith("\n"):
        print()
    if answer and not told.strip().endswith(answer):
        print("\nanswer:", printable(answer), sep="\n")
    if told or answer:
        print()
    for line in asked.table():
        print(line)


def _tell_line(line: str) -> None:
    print(line, flush=True)


def _escape_unencodable() -> None:
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
