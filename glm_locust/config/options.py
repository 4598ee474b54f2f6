"""The words of a scenario on a command line: told once, for `glm-locust` and for Locust alike."""

from dataclasses import dataclass
from typing import Any

from glm_locust.workload import IMAGE_FORMATS, TASKS


@dataclass(frozen=True, slots=True)
class Option:
    """One word; its value stays text until `Scenario.merge` reads it, so that mistakes are ours to name."""

    key: str
    """As in the TOML file."""
    metavar: str
    help: str
    repeatable: bool = False
    flag: bool = False
    """Takes no value."""

    @property
    def parsing(self) -> dict[str, Any]:
        """What `add_argument` of a parser is to be told beside its name; not given is None."""
        if self.flag:
            return {"help": self.help, "action": "store_const", "const": True}
        return {
            "help": self.help,
            "metavar": self.metavar,
            "action": "append" if self.repeatable else "store",
        }

    @property
    def word(self) -> str:
        """As typed, without the dashes in front: `prompt-lang`."""
        return self.key.replace("_", "-")


OPTIONS: tuple[Option, ...] = (
    Option("api", "URL", "OpenAI-compatible server, with or without /v1"),
    Option("web", "URL", "Streamlit page, reached directly"),
    Option("web_jupyter", "URL", "the same page behind a Jupyter proxy, like http://host:8888/proxy/8501/"),
    Option(
        "tasks", "LIST", f"kinds of questions out of {','.join(TASKS)}, or of your data set (default: all)"
    ),
    Option("repeats", "N", "questions per task, path and level (default: 10)"),
    Option("levels", "LIST", "numbers of concurrent users, like 1,2,4,8 (default: 1)"),
    Option("warmup", "N", "questions per user and path that are not counted (default: 1)"),
    Option("prompt_lang", "LANG", "zh, en or both (default: both)"),
    Option("seed", "N", "makes the same questions again (default: drawn)"),
    Option("repeat_share", "SHARE", "share of questions that repeat an earlier one exactly (default: 0)"),
    Option("image_size", "PIXELS", "width and height of generated images (default: 512)"),
    Option("image_format", "FORMAT", f"{' or '.join(IMAGE_FORMATS)} (default: jpeg)"),
    Option("dataset", "FILE", "your own questions, one JSON object a line"),
    Option("design", "DESIGN", "blocks: one path at a time; mixed: all at once (default: blocks)"),
    Option("web_share", "SHARE", "share of requests to the page in the mixed design (default: 0.5)"),
    Option("think_time", "SECONDS", "pause of a user between answer and next question (default: 0)"),
    Option(
        "arrivals",
        "PROCESS",
        "open loop: requests come when they are due, whoever is free: poisson:12/s, constant:12/s, "
        "gamma:12/s,cv=2, ramp:2/s..20/s,over=5m or trace:FILE (default: users ask one after the other)",
    ),
    Option(
        "max_in_flight",
        "N",
        "open loop: how many users there are; a request that is due while all of them wait for an answer "
        "is dropped and counted (default: 100)",
    ),
    Option("out", "DIR", "directory of runs; each run gets one of its own in it (default: runs)"),
    Option("model", "NAME", "model to ask for (default: the first that the server lists)"),
    Option("max_tokens", "N", "longest answer to ask the API for"),
    Option(
        "no_think_tags",
        "",
        "take <think>...</think> in the text of the API for part of the answer",
        flag=True,
    ),
    Option("api_key_env", "NAME", "environment variable that holds the API key"),
    Option("api_key_file", "FILE", "file that holds the API key"),
    Option("jupyter_token_env", "NAME", "environment variable that holds the token of Jupyter"),
    Option("jupyter_token_file", "FILE", "file that holds the token of Jupyter"),
    Option("header", "'NAME: VALUE'", "HTTP header for all targets; no secrets", repeatable=True),
    Option("timeout", "SECONDS", "longest duration of a request (default: 300)"),
    Option("ca", "FILE", "certificate authorities to trust, PEM"),
    Option("exporter", "URL", "glm-gpu-exporter to take samples from, one per GPU host", repeatable=True),
    Option(
        "metrics", "URL", "Prometheus endpoint to take samples from, like vLLM's /metrics", repeatable=True
    ),
    Option("samples_auth_env", "NAME", "environment variable with user:password for all of these"),
    Option("samples_auth_file", "FILE", "file with user:password for all of these"),
    Option("samples_ca", "FILE", "certificate authorities to trust at these, PEM"),
    Option(
        "slo",
        "OBJECTIVE",
        "what the run must meet, like 'ttft p95 < 2 s', 'web: failures < 1 %%' (docs/VERDICTS.md)",
        repeatable=True,
    ),
    Option("junit", "FILE", "JUnit file with a test case per objective"),
    Option("lang", "LANG", "language of the report: en or zh (default: en)"),
    Option(
        "prometheus",
        "HOST:PORT",
        "serve the run's metrics for Prometheus there, like :9646, which means 127.0.0.1 (default: nowhere)",
    ),
    Option("prometheus_cert", "FILE", "certificate for TLS on that port, PEM"),
    Option("prometheus_key", "FILE", "its key, PEM (default: in the certificate's file)"),
    Option("prometheus_auth_env", "NAME", "environment variable with the user:password to ask of scrapers"),
    Option("prometheus_auth_file", "FILE", "file with the user:password to ask of scrapers"),
)
