"""Scenario: all that a comparison needs to know, from a TOML file and a command line."""

import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from glm_locust.arrivals import Arrivals, Replay
from glm_locust.arrivals import parse as parse_arrivals
from glm_locust.config.metrics_port import MetricsPort, read_metrics_port
from glm_locust.config.page_settings import PAGE_CHOICES
from glm_locust.config.settings import Settings
from glm_locust.config.target_settings import given, read_targets
from glm_locust.config.targets import ApiTarget, Secret, WebTarget
from glm_locust.errors import ConfigError, did_you_mean
from glm_locust.plan import DESIGNS, Block, OpenLoop, endless_blocks, make_plan
from glm_locust.records import PathId
from glm_locust.slo import parse
from glm_locust.workload import IMAGE_FORMATS, IMAGE_SIZES, LANGUAGES, TASKS, ImageFormat, Language, Workload

PromptLang = Literal["zh", "en", "both"]
Design = Literal["blocks", "mixed"]
ReportLang = Literal["en", "zh"]
DEFAULT_MAX_IN_FLIGHT = 100
BLOCK_S = 30.0
"""Open loop: about how long a block lasts beyond its ramp, where enough is asked."""
MIN_BLOCK_QUESTIONS = 20
REPORT_LANGUAGES: tuple[ReportLang, ...] = ("en", "zh")


_CLOSED_LOOP_ONLY = {
    "levels": "how many ask at once is what comes of them; max_in_flight bounds it",
    "think_time": "they say when the next question comes",
}


def _drawn_seed() -> int:
    return random.SystemRandom().randrange(2**31)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked, how often, by how many, and where.

    A field is a key of the TOML file and, with dashes, a word of the command line.
    """

    api: ApiTarget | None = None
    web: WebTarget | None = None
    web_jupyter: WebTarget | None = None
    tasks: tuple[str, ...] = ()
    """Empty: all that the workload or the data set has."""
    repeats: int = 10
    """Questions per task, path and level; a level of more users asks at least one per user."""
    levels: tuple[int, ...] = (1,)
    """Concurrent users, over all workers; each level is measured by itself."""
    warmup: int = 1
    """Questions per user and path that are asked first and not counted."""
    prompt_lang: PromptLang = "both"
    seed: int = field(default_factory=_drawn_seed)
    """Drawn when none is given: a second run with the same questions would find them in caches."""
    repeat_share: float = 0.0
    """Share of questions that repeat an earlier one exactly."""
    image_size: int = 512
    """Width and height of generated images in pixels."""
    image_format: ImageFormat = "jpeg"
    dataset: str | None = None
    """JSONL file of the user's own questions; the same file must be on every worker."""
    design: Design = "blocks"
    web_share: float = 0.5
    """Share of the requests that go to the page in the mixed design."""
    think_time: float = 0.0
    """Seconds that a user waits between an answer and the next question."""
    arrivals: str | None = None
    """Open loop: when requests are due, like `poisson:12/s`; None: users ask one after the other.

    A trace is a file that must be on every worker, too.
    """
    max_in_flight: int | None = None
    """Open loop: how many users there are to make what is due; None: 100."""
    out: str = "runs"
    """Directory of the runs, relative to the working directory."""
    exporter: tuple[str, ...] = ()
    """Base URLs of glm-gpu-exporters, one per host whose GPUs and processes are to be sampled."""
    metrics: tuple[str, ...] = ()
    """URLs of Prometheus endpoints to sample; without a path, `/metrics` is meant."""
    samples_auth_env: str | None = None
    """Environment variable that holds `user:password` for every exporter and metrics URL."""
    samples_auth_file: str | None = None
    """The same in a file; at most one of the two is given."""
    samples_ca: str | None = None
    """PEM file of certificate authorities to trust there in place of the system's."""
    slo: tuple[str, ...] = ()
    """What the run must meet, like `ttft p95 < 2 s`; with any, they set the exit code."""
    junit: str | None = None
    """File that tells of every objective as a test case."""
    lang: ReportLang = "en"
    """Language of the report."""
    prometheus: MetricsPort | None = None
    """Where the metrics of the run are served for Prometheus."""

    @property
    def samples_auth(self) -> Secret:
        """Where `user:password` for exporters and metrics URLs is found."""
        return Secret(self.samples_auth_env, self.samples_auth_file)

    @property
    def targets(self) -> dict[str, ApiTarget | WebTarget]:
        """Path id to target, for the paths that have one."""
        named = {PathId.API: self.api, PathId.WEB: self.web, PathId.WEB_JUPYTER: self.web_jupyter}
        return {str(path): target for path, target in named.items() if target is not None}

    @property
    def paths(self) -> tuple[str, ...]:
        """The path ids that are compared."""
        return tuple(self.targets)

    @property
    def arrival_process(self) -> Arrivals | None:
        """What `arrivals` says."""
        return None if self.arrivals is None else parse_arrivals(self.arrivals)

    @property
    def users(self) -> int:
        """How many users the plan needs."""
        if self.arrivals is None:
            return max(self.levels)
        return self.max_in_flight or DEFAULT_MAX_IN_FLIGHT

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages of built-in questions."""
        return LANGUAGES if self.prompt_lang == "both" else (self.prompt_lang,)

    def workload(self) -> Workload:
        """The built-in questions; only where there is no data set."""
        return Workload(
            self.seed, self.languages, self.repeat_share, size=self.image_size, image_format=self.image_format
        )

    def chosen_tasks(self, available: Sequence[str]) -> tuple[str, ...]:
        """The tasks to ask, out of those that the source of questions has; ConfigError for others."""
        for task in self.tasks:
            if task not in available:
                raise ConfigError(f"tasks: expected some of {', '.join(available)}, got {task!r}")
        return self.tasks or tuple(available)

    def plan(self, available: Sequence[str], rows: tuple[str, ...] = ()) -> tuple[Block, ...]:
        """The plan of the comparison, over the tasks that the source of questions has.

        `rows` are the tasks of a trace's requests. Raises ConfigError.
        """
        return make_plan(
            self.paths,
            self.chosen_tasks(available),
            self.repeats,
            self.levels,
            warmup=self.warmup,
            seed=self.seed,
            design=self.design,
            web_share=self.web_share,
            open_loop=self._open_loop(rows),
        )

    def endless_plan(self, available: Sequence[str], rows: tuple[str, ...] = ()) -> Iterator[Block]:
        """The same without end, for a run that is limited by time."""
        return endless_blocks(
            self.paths,
            self.chosen_tasks(available),
            self.levels,
            warmup=self.warmup,
            seed=self.seed,
            design=self.design,
            web_share=self.web_share,
            open_loop=self._open_loop(rows),
        )

    def _open_loop(self, rows: tuple[str, ...]) -> OpenLoop | None:
        process = self.arrival_process
        if process is None:
            return None
        if isinstance(process, Replay):
            if self.design == "mixed":
                raise ConfigError("design: expected blocks, a trace is replayed on one path at a time")
            return OpenLoop(self.users, max(1, len(rows)), rows)
        return OpenLoop(self.users, max(MIN_BLOCK_QUESTIONS, round(process.expected(BLOCK_S))))

    def merge(self, overrides: Mapping[str, object], prefix: str = "--") -> "Scenario":
        """This scenario with what a command line says; None means not given.

        Keys are fields or the words `model max_tokens no_think_tags api_key_env api_key_file
        jupyter_token_env jupyter_token_file header timeout ca`, which apply to the targets, and
        `prometheus_cert prometheus_key prometheus_auth_env prometheus_auth_file`; targets are URLs. Numbers
        and lists may be texts. Raises ConfigError that names the option, `prefix` before its word.
        """
        return _applied(self, Settings(overrides, lambda key: prefix + key.replace("_", "-"), from_text=True))

    def to_workload_dict(self) -> dict[str, Any]:
        """What must agree for two runs to be comparable; for the run's header."""
        skipped = {"api", "web", "web_jupyter", "out", "seed"}
        skipped |= {
            "exporter",
            "metrics",
            "samples_auth_env",
            "samples_auth_file",
            "samples_ca",
            "slo",
            "junit",
            "lang",
            "prometheus",
        }
        if self.arrivals is None:
            skipped |= {"arrivals", "max_in_flight"}
        told = {
            name: getattr(self, name) for name in (row.name for row in fields(self)) if name not in skipped
        }
        if self.dataset is not None:
            told["dataset"] = Path(self.dataset).name
        process = self.arrival_process
        if isinstance(process, Replay):
            told["arrivals"] = replace(process, file=Path(process.file).name).text
        return told | {"paths": list(self.paths), "tasks": list(self.tasks), "levels": list(self.levels)}

    def to_targets_dict(self) -> dict[str, Any]:
        """Per path what is reached and how, without secrets and header values; for the run's header."""
        told: dict[str, Any] = {}
        for path, target in self.targets.items():
            row = told[path] = {"url": target.url, "headers": sorted(target.headers)}
            row["deadlines"] = asdict(target.deadlines)
            if target.simulated is not None:
                row |= {"simulated": True, "preset": target.simulated}
            if isinstance(target, ApiTarget):
                row |= {
                    "model": target.model,
                    "max_tokens": target.max_tokens,
                    "http_client": target.http_client,
                    "think_tags": target.think_tags,
                }
                row["extra_body"] = target.extra_body
            else:
                row |= _said_of_page(target)
        return told

    def to_message(self) -> dict[str, Any]:
        """Plain data that msgpack and JSON can carry; names of secrets, never secrets."""
        message: dict[str, Any] = msgspec.to_builtins(self)
        return message

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Scenario":
        """The inverse of `to_message`; raises ConfigError for what is not one."""
        try:
            return msgspec.convert(message, cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"not a scenario: {error}") from None


def load_scenario(path: str | Path) -> Scenario:
    """Read a TOML file; raises ConfigError naming file, key and what was expected."""
    path = Path(path)
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the scenario: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    return _applied(Scenario(), Settings(table, lambda key: f"{path}: {key}", folder=path.parent))


def _objectives(settings: Settings) -> tuple[str, ...] | None:
    """A list of objectives, or a table `[slo]` that holds one."""
    if not settings.is_table("slo"):
        return settings.parsed("slo", parse)
    table = settings.table("slo")
    assert table is not None
    found = table.parsed("objectives", parse)
    table.close()
    return found


def _arrivals(settings: Settings) -> str | None:
    """The process as typed; the file of a trace independent of where the settings stand."""
    process = settings.phrase("arrivals", parse_arrivals)
    if not isinstance(process, Replay):
        return settings.text("arrivals")
    return replace(process, file=settings.located(process.file)).text


def _said_of_page(target: WebTarget) -> dict[str, Any]:
    """What was said about a page beyond its address; secret values by the names of their places."""
    blank = WebTarget(target.url)
    said = {name: getattr(target, name) for name in PAGE_CHOICES}
    return {name: msgspec.to_builtins(value) for name, value in said.items() if value != getattr(blank, name)}


def _applied(base: Scenario, settings: Settings) -> Scenario:
    api, web, web_jupyter = read_targets(settings, base.api, base.web, base.web_jupyter)
    changes = given(
        tasks=settings.words("tasks"),
        repeats=settings.whole("repeats", 1),
        levels=settings.wholes("levels", 1),
        warmup=settings.whole("warmup", 0),
        prompt_lang=settings.choice("prompt_lang", (*LANGUAGES, "both")),
        seed=settings.whole("seed", 0),
        repeat_share=settings.number("repeat_share", "a number from 0 to 1", lambda share: 0 <= share <= 1),
        image_size=settings.whole("image_size", IMAGE_SIZES[0]),
        image_format=settings.choice("image_format", IMAGE_FORMATS),
        dataset=settings.file("dataset"),
        design=settings.choice("design", DESIGNS),
        web_share=settings.number(
            "web_share", "a number between 0 and 1, both excluded", lambda share: 0 < share < 1
        ),
        think_time=settings.seconds("think_time", zero=True),
        arrivals=_arrivals(settings),
        max_in_flight=settings.whole("max_in_flight", 1),
        out=settings.text("out"),
        exporter=settings.urls("exporter"),
        metrics=settings.urls("metrics"),
        samples_ca=settings.file("samples_ca"),
        slo=_objectives(settings),
        junit=settings.text("junit"),
        lang=settings.choice("lang", REPORT_LANGUAGES),
    )
    prometheus = read_metrics_port(settings, base.prometheus)
    if (auth := settings.secret("samples_auth")) is not None:
        changes |= {"samples_auth_env": auth.env, "samples_auth_file": auth.file}
    settings.close()
    if "arrivals" in settings:
        for key, why in _CLOSED_LOOP_ONLY.items():
            if key in settings:
                settings.fail(key, f"no {key} beside arrivals: {why}", show=False)
    merged = replace(base, api=api, web=web, web_jupyter=web_jupyter, prometheus=prometheus, **changes)
    if merged.image_size not in IMAGE_SIZES:
        settings.fail("image_size", f"{IMAGE_SIZES[0]} to {IMAGE_SIZES[-1]} pixels")
    if merged.max_in_flight is not None and merged.arrivals is None:
        settings.fail("max_in_flight", "arrivals to be given as well", show=False)
    unknown = [task for task in merged.tasks if task not in TASKS]
    if merged.dataset is None and unknown:
        settings.fail("tasks", f"some of {', '.join(TASKS)}", hint=did_you_mean(unknown[0], TASKS))
    return merged
