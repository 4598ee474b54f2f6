"""`glm-locust compare`: the Web-versus-API comparison, from the check of the targets to the report."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from glm_locust.cli.comparison_run import ComparisonRun, Order
from glm_locust.cli.engine import add_engine_options, engine_of
from glm_locust.config.options import OPTIONS
from glm_locust.config.scenario import Scenario, load_scenario
from glm_locust.datasets import DataSet
from glm_locust.errors import ConfigError, ExitCode
from glm_locust.testbed import DEFAULT_PRESET, PRESETS, TestbedError

DEFAULT_WORKERS = 2

_TARGETS = "targets (default: an embedded testbed with a simulated model)"
_SAMPLES = "samples (default with the testbed: its host, processes and engine)"
_GROUPS = {
    **dict.fromkeys(("api", "web", "web_jupyter", "model", "max_tokens", "no_think_tags"), _TARGETS),
    **dict.fromkeys(
        ("api_key_env", "api_key_file", "jupyter_token_env", "jupyter_token_file", "header"), _TARGETS
    ),
    **dict.fromkeys(("timeout", "ca"), _TARGETS),
    **dict.fromkeys(("tasks", "prompt_lang", "dataset", "seed", "repeat_share"), "questions"),
    **dict.fromkeys(("image_size", "image_format"), "questions"),
    **dict.fromkeys(("repeats", "levels", "warmup", "design", "web_share", "think_time"), "plan"),
    **dict.fromkeys(("arrivals", "max_in_flight"), "plan"),
    **dict.fromkeys(("slo", "junit"), "verdict"),
    **dict.fromkeys(("exporter", "metrics", "samples_auth_env", "samples_auth_file", "samples_ca"), _SAMPLES),
    **dict.fromkeys(("prometheus", "prometheus_cert", "prometheus_key"), "metrics for Prometheus"),
    **dict.fromkeys(("prometheus_auth_env", "prometheus_auth_file"), "metrics for Prometheus"),
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "compare",
        help="compare a Streamlit page with the API of the same model",
        description="Asks the same questions through the API, through the page, and through the page behind "
        "Jupyter, by real Locust users, and writes a report. Without a URL it starts a testbed whose model "
        "is simulated, or with --engine served by a real engine. Ctrl-C ends it early and still writes the "
        "report; a second one ends it at once.",
        epilog="Exit codes: 0 done, 1 requests failed, 2 crash, 3 an --slo was not met, "
        "4 the measurement cannot be trusted, 64 something given is wrong, 130 interrupted.",
        allow_abbrev=False,
    )
    groups = {title: parser.add_argument_group(title) for title in dict.fromkeys(_GROUPS.values())}
    running = parser.add_argument_group("run")
    for option in OPTIONS:
        groups.get(_GROUPS.get(option.key, ""), running).add_argument(
            f"--{option.word}", dest=option.key, **option.parsing
        )
    running.add_argument(
        "--scenario", metavar="FILE", help="TOML file with any of the above; options go before it"
    )
    running.add_argument(
        "--run-time", metavar="TIME", help="end after this time, like 90s or 5m (default: when all is asked)"
    )
    running.add_argument("--workers", metavar="N", help=f"Locust workers (default: {DEFAULT_WORKERS})")
    running.add_argument(
        "--preset",
        metavar="NAME",
        help=f"speed of the testbed's model: {' or '.join(sorted(PRESETS))} (default: demo)",
    )
    add_engine_options(running)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run a comparison and return its exit code; raises ConfigError for what cannot be run."""
    words = {option.key: getattr(args, option.key) for option in OPTIONS}
    base = load_scenario(args.scenario) if args.scenario is not None else Scenario()
    scenario = base.merge(words)
    if args.preset is not None and args.preset not in PRESETS:
        raise ConfigError(f"--preset: expected {' or '.join(sorted(PRESETS))}, got {args.preset!r}")
    questions = DataSet.load(scenario.dataset, scenario.seed) if scenario.dataset else scenario.workload()
    scenario.chosen_tasks(questions.tasks)
    engine = engine_of(args)
    if engine is not None and scenario.targets:
        raise ConfigError("--engine: expected no target, since it belongs to the embedded testbed")
    order = Order(
        scenario=scenario,
        workers=_workers(args.workers),
        preset=args.preset or DEFAULT_PRESET,
        engine=engine,
        options=tuple(_as_typed(args)),
        run_time=args.run_time,
    )
    with ComparisonRun(order, _workdir(Path(scenario.out))) as comparison:
        try:
            return comparison.play()
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
        except TestbedError as error:
            print(error, file=sys.stderr)
            return ExitCode.CRASH


def _as_typed(args: argparse.Namespace) -> Iterator[str]:
    """The same words for Locust's command line."""
    if args.scenario is not None:
        yield f"--glm-scenario={args.scenario}"
    for option in OPTIONS:
        given = getattr(args, option.key)
        for value in given if isinstance(given, list) else [given]:
            if option.flag and value:
                yield f"--glm-{option.word}"
            elif value is not None:
                yield f"--glm-{option.word}={value}"


def _workers(text: str | None) -> int:
    if text is None:
        return DEFAULT_WORKERS
    if not text.isdecimal() or not int(text):
        raise ConfigError(f"--workers: expected a whole number of at least 1, got {text!r}")
    return int(text)


def _workdir(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".compare-", dir=out))
    except OSError as error:
        raise ConfigError(f"--out: cannot write to {out}: {error.strerror}") from None
