"""What Locust is told of a request, and prompts that are ready before they are asked for."""

import random
import threading
from pathlib import Path
from typing import Any

import gevent
import pytest
from locust.env import Environment
from locust.exception import StopTest

from glm_locust.config import Scenario
from glm_locust.delivery import enroll
from glm_locust.errors import ConfigError
from glm_locust.records import Ended, ErrorKind, Measurement, Outcome, Phase, RequestRecord
from glm_locust.users.chat import ChatUser, e2e_ms, failure_text
from glm_locust.users.prompts import INDICES_PER_WORKER, PromptSource, indices_of
from glm_locust.users.questions import assign
from glm_locust.workload.prompt import Prompt
from tests.delivery.rig import Rig


def record(**changes: Any) -> RequestRecord:
    values: dict[str, Any] = {
        "run_id": "r",
        "worker_id": "w",
        "seq": 1,
        "path": "api",
        "task": "ocr",
        "phase": Phase.MEASURE,
        "prompt_id": "p",
        "scheduled_ns": 10_000_000,
        "finished_ns": 100_000_000,
        "outcome": Outcome.OK,
    }
    return RequestRecord(**(values | changes))


E2E = [
    ("nothing was sent: since it was wanted", {}, 90.0),
    ("sent late: the lateness is in it", {"sent_ns": 15_000_000, "submitted_ns": 15_000_000}, 90.0),
    ("an upload before the question is not", {"sent_ns": 10_000_000, "submitted_ns": 40_000_000}, 60.0),
]


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in E2E], ids=[row[0] for row in E2E])
def test_e2e_latency(changes: dict[str, int], expected: float) -> None:
    assert e2e_ms(record(**changes)) == pytest.approx(expected)


FAILURES = [
    ("no failure", None, None, None),
    ("kind alone", ErrorKind.EMPTY, None, "empty"),
    ("kind and detail", ErrorKind.HTTP_STATUS, "500 oops", "http_status: 500 oops"),
    ("foreign text becomes one short line", ErrorKind.SERVER_ERROR, "a\nb\x1b[31m" + "x" * 999, None),
]


@pytest.mark.parametrize(
    ("kind", "detail", "expected"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_failure_text(kind: ErrorKind | None, detail: str | None, expected: str | None) -> None:
    text = failure_text(record(error_kind=kind, error_detail=detail))
    if kind is ErrorKind.SERVER_ERROR:
        assert text is not None
        assert text.isprintable()
        assert len(text) < 150
    else:
        assert text == expected


def test_the_next_prompt_is_made_while_one_is_asked() -> None:
    made: list[tuple[str, int]] = []
    threads: set[int] = set()

    def make(task: str, index: int) -> Prompt:
        made.append((task, index))
        threads.add(threading.get_ident())
        return Prompt(task, str(index))

    source = PromptSource(make, ["a"], indices_of(2), random.Random(1))
    first = source.take()
    with gevent.Timeout(10):
        while len(made) < 2:
            gevent.idle()
    second = source.take()
    assert (first.text, second.text) == (str(2 * INDICES_PER_WORKER), str(2 * INDICES_PER_WORKER + 1))
    assert threading.get_ident() not in threads, "drawn beside the loop that reads streams"


def test_a_task_that_was_not_foreseen() -> None:
    source = PromptSource(
        lambda task, index: Prompt(task, str(index)), ["a"], indices_of(0), random.Random(1)
    )
    assert [source.take(task).task for task in ("b", None, "a", "b", "b", None)] == list("bbabbb")
    texts = [source.take().text for _ in range(5)]
    assert len(set(texts)) == 5


def test_an_unknown_task_is_named() -> None:
    def make(task: str, index: int) -> Prompt:
        raise ConfigError(f"unknown task {task}")

    source = PromptSource(make, ["a"], indices_of(0), random.Random(1))
    with pytest.raises(ConfigError, match="unknown task a"):
        source.take()


class Answering:
    """A client whose server answers at once."""

    def __init__(self, outcome: Outcome = Outcome.OK, kind: ErrorKind | None = None) -> None:
        self.end = Ended(outcome, kind, "why" if kind else None)
        self.idled: list[float] = []

    def check(self) -> None:
        if self.end.kind is ErrorKind.CONNECT:
            raise ConfigError("nobody there")

    def prepare(self, prompt: Prompt) -> None:
        pass

    def ask(self, prompt: Prompt, measurement: Measurement) -> None:
        measurement.submitted(measurement.scheduled_ns)
        measurement.signal(self.end, measurement.scheduled_ns + 5_000_000)

    def idle(self, seconds: float) -> None:
        self.idled.append(seconds)

    def close(self) -> None:
        pass


def user_of(rig: Rig, client: Answering, **scenario: Any) -> tuple[ChatUser, list[dict[str, Any]]]:
    class Someone(ChatUser):
        path = "here"

        def connect(self) -> Answering:
            return client

        def make_prompt(self, task: str, index: int) -> Prompt:
            return Prompt(task, f"question {index}")

        def wait_time(self) -> float:
            return 7.0

    environment = Environment(user_classes=[Someone])
    events: list[dict[str, Any]] = []
    environment.events.request.add_listener(lambda **event: events.append(event))
    enroll(environment, rig.recorder)
    assign(environment, Scenario(**scenario))
    user = Someone(environment)
    user.on_start()
    return user, events


def test_one_request_of_locust_per_request(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    user, events = user_of(rig, Answering(), tasks=("ocr",), warmup=1)
    for _ in range(3):
        user.ask()
    assert [(e["request_type"], e["name"], e["exception"]) for e in events] == [("here", "ocr", None)] * 3
    assert [e["response_time"] for e in events] == pytest.approx([5.0] * 3)
    rig.recorder.drain(0)
    assert [r.phase for r in rig.seen.records] == [Phase.WARMUP, Phase.MEASURE, Phase.MEASURE]


def test_a_failed_request_is_a_failure_of_locust(tmp_path: Path) -> None:
    user, events = user_of(Rig(tmp_path), Answering(Outcome.FAILED, ErrorKind.TRUNCATED))
    user.ask("ocr")
    assert [e["exception"] for e in events] == ["truncated: why"]


def test_a_cancelled_request_is_none_of_locust(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    user, events = user_of(rig, Answering(Outcome.CANCELLED, ErrorKind.RUN_ENDED))
    assert user.ask() is not None
    assert events == []
    rig.recorder.drain(0)
    assert rig.run.counts["cancelled"] == 1


def test_the_client_passes_the_time_to_think(tmp_path: Path) -> None:
    client = Answering()
    user, _ = user_of(Rig(tmp_path), client)
    assert user.wait_time() == 0.0
    assert client.idled == [7.0]


def test_think_time_of_the_scenario_goes_first(tmp_path: Path) -> None:
    client = Answering()
    user, _ = user_of(Rig(tmp_path), client, think_time=2.5)
    user.wait_time()
    assert client.idled == [2.5]


def test_at_the_end_of_the_run_a_user_rests(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    client = Answering()
    user, events = user_of(rig, client)
    rig.recorder.drain(0)
    assert user.ask() is None
    assert events == []
    user.wait_time()
    assert client.idled[0] > 10**6


def test_a_target_that_cannot_be_used_ends_the_run(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    told: list[str] = []
    rig.recorder.refuse = told.append
    user, events = user_of(rig, Answering(Outcome.FAILED, ErrorKind.CONNECT))
    assert told == ["nobody there"]
    assert user.ask() is None
    assert events == []


def test_an_unknown_task_ends_the_run(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    told: list[str] = []
    rig.recorder.refuse = told.append
    user_of(rig, Answering(), tasks=("dance",))
    assert len(told) == 1
    assert "dance" in told[0]


def test_without_the_plugin_there_is_no_user() -> None:
    class Someone(ChatUser):
        path = "here"

    with pytest.raises(StopTest, match="install"):
        Someone(Environment())


def test_a_user_class_asks_by_default_and_keeps_tasks_of_its_own() -> None:
    from locust import task

    class Plain(ChatUser):
        path = "here"

    class Own(ChatUser):
        path = "here"

        @task
        def look(self) -> None: ...

    assert Plain.tasks == [Plain.ask]
    assert [t.__name__ for t in Own.tasks] == ["look"]
