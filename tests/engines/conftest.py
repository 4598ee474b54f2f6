"""Each real engine behind the testbed's page and Jupyter, started once; one list of tests for all."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from glm_locust.config import ApiTarget
from glm_locust.records import Measurement, Phase, RequestRecord
from glm_locust.testbed import Engine, Testbed
from glm_locust.transport.clock import now_ns
from glm_locust.users.api_client import ApiClient
from glm_locust.workload import Workload
from glm_locust.workload.prompt import Prompt
from tests.setup import engine_envs

SPECULATION = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}
OPTIONS = {"transformers": (), "vllm": (f"--speculative-config={json.dumps(SPECULATION)}",)}
QUIET: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}


@dataclass(frozen=True)
class Reply:
    """What the tiny model always says."""

    reasoning: str
    reasoning_tokens: int
    answer: str
    answer_tokens: int

    def tokens(self, *, thinking: bool) -> int:
        """As usage counts them: with both tags and the token that ends the answer."""
        return self.answer_tokens + 1 + (self.reasoning_tokens + 2 if thinking else 0)


class Served:
    """One engine that answers, and ways to ask it."""

    def __init__(self, engine: Engine, testbed: Testbed, reply: Reply) -> None:
        self.name = engine.name
        self.engine = engine
        self.testbed = testbed
        self.reply = reply
        self.workload = Workload(seed=4)

    def client(self, on_text: Callable[[str], None] | None = None, **target: Any) -> ApiClient:
        """A user of the API that asks for the model the engine has, unless the target says another."""
        return ApiClient(
            ApiTarget(self.testbed.api_url, **{"model": self.testbed.model} | target), on_text=on_text
        )

    def ask(self, prompt: Prompt, **target: Any) -> tuple[RequestRecord, str]:
        """One question by a user of its own: the record and the answer's text."""
        told: list[str] = []
        client = self.client(told.append, **target)
        try:
            return asked(client, prompt), "".join(told)
        finally:
            client.close()

    def metrics(self) -> dict[str, float]:
        """What the engine counts, summed over labels."""
        sums: dict[str, float] = {}
        for line in httpx.get(f"{self.testbed.api_url}/metrics", trust_env=False).text.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums


def asked(client: ApiClient, prompt: Prompt) -> RequestRecord:
    """Ask and seal what came of it."""
    measurement = new_measurement(prompt)
    client.ask(prompt, measurement)
    return sealed(measurement)


def new_measurement(prompt: Prompt) -> Measurement:
    return Measurement(
        path="api", task=prompt.task, phase=Phase.MEASURE, prompt_id=prompt.prompt_id, scheduled_ns=now_ns()
    )


def sealed(measurement: Measurement) -> RequestRecord:
    return measurement.seal(run_id="r", worker_id="w", seq=1)


def engine_or_skip(name: str, *options: str) -> tuple[Engine, Path]:
    """The engine and its model; where they cannot be installed the test is skipped, with CI=true it fails."""
    try:
        engine = engine_envs.engine(name, *options)
        return engine, engine_envs.model(engine)
    except engine_envs.MissingError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name}: {error}")
        pytest.skip(f"left out: {name} could not be installed: {error}")


@pytest.fixture(scope="session", params=list(OPTIONS))
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    engine, model = engine_or_skip(request.param, *OPTIONS[request.param])
    with Testbed(engine=engine, model_dir=model) as testbed:
        yield Served(engine, testbed, Reply(**json.loads((model / "reply.json").read_text())))
