"""Asks the gallery's apps and compares with what the model server itself says it answered."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gevent.pool import Pool

from glm_locust.config import Deadlines, Secret, WebTarget, page_choices
from glm_locust.errors import GlmLocustError
from glm_locust.records import Measurement, Outcome, Phase, RequestRecord, digest
from glm_locust.testbed.answers import compose
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import preset_named
from glm_locust.testbed.truth import TruthRecord, read_truth
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.workload import Workload, recognise
from glm_locust.workload.prompt import Image, Prompt
from tests.plugin.team import until
from tests.streamlit_versions.gallery import APPS, App

AT_A_TIME = 4
NO_SECRET = Secret()
PATIENT = Deadlines(connect_s=60, script_start_s=200, first_output_s=200, stall_s=200, total_s=280)
"""A busy machine is no reason to fail."""
WARM_UP = replace(next(app for app in APPS if app.page == "chat_placeholder"), turns=1)
STAMP_MS = 20.0


@dataclass(frozen=True)
class Way:
    """One way to a server: where its pages are, and what opens the door."""

    url: str
    token: Secret = NO_SECRET
    cookies: dict[str, Secret] = field(default_factory=dict)

    def target(self, app: App) -> WebTarget:
        choices = page_choices(app.choices, f"{app.page}: ")
        return WebTarget(
            self.url,
            page=app.page,
            jupyter_token=self.token,
            cookies=self.cookies,
            deadlines=PATIENT,
            **choices,
        )


@dataclass(frozen=True)
class Answered:
    """One question to one app: its record, the text, and what the model server knows."""

    sent: tuple[str, ...]
    record: RequestRecord
    streams: bool
    text: str
    expected: tuple[str, ...]
    truths: tuple[TruthRecord, ...]

    @property
    def truth(self) -> TruthRecord | None:
        """What the model server knows of the answer that was taken."""
        if self.text.strip() not in self.expected:
            return None
        wanted = digest(self.sent[self.expected.index(self.text.strip())])
        return next((truth for truth in self.truths if truth.prompt_id == wanted), None)

    @property
    def lag_ms(self) -> float | None:
        """From the model server's first token to the user's; from its last, where the page waits for that."""
        truth = self.truth
        if self.record.first_token_ns is None or truth is None or truth.first_token_ns is None:
            return None
        there_ns = truth.first_token_ns if self.streams else truth.finished_ns
        return (self.record.first_token_ns - there_ns) / 1e6

    def complaint(self) -> str | None:
        """What is wrong, in one line."""
        record = self.record
        if record.outcome is not Outcome.OK:
            return f"{record.outcome} {record.error_kind}: {record.error_detail}"
        if self.text.strip() not in self.expected:
            return f"another text: {self.text[:80]!r}... in place of {self.expected[0][:80]!r}..."
        truth = self.truth
        if truth is None or truth.received_ns is None or truth.first_token_ns is None:
            return "the model server knows nothing of it"
        submitted, first = record.submitted_ns, record.first_token_ns
        if submitted is None or first is None or not submitted < truth.received_head_ns < first:
            return f"instants out of order: {submitted} {truth.received_head_ns} {first}"
        # The server takes its stamp after it has handed the token to the socket.
        lag_ms = self.lag_ms or 0.0
        return f"seen {-lag_ms:.1f} ms before it was there" if lag_ms < -STAMP_MS else None


class Model:
    """The simulated model server behind the apps."""

    def __init__(self, testbed: Testbed) -> None:
        self._testbed = testbed

    def answer(self, question: str) -> str:
        """What it answers: the same to everybody who asks this."""
        task = recognise(question)
        profile = preset_named(self._testbed.preset).profile(task)
        return "".join(compose(question, task, profile, self._testbed.seed))

    def truths(self, questions: tuple[str, ...], since_ns: int) -> tuple[TruthRecord, ...]:
        """Its own records of these questions, once they are written."""
        wanted = {digest(question) for question in questions}
        found: list[TruthRecord] = []

        def all_there() -> bool:
            found[:] = [
                truth
                for truth in read_truth(self._testbed.truth_log)
                if truth.prompt_id in wanted and truth.received_head_ns >= since_ns
            ]
            return len(found) >= len(wanted)

        until(all_there, "the model server's own record")
        return tuple(found)


class Asker:
    """Asks apps several at a time, and keeps what came of it."""

    def __init__(self, apps: Sequence[App], way: Way, model: Model, nonce: str) -> None:
        self.answers: dict[str, list[Answered]] = {}
        self.errors: dict[str, str] = {}
        begun_ns = now_ns()

        def one(app: App) -> None:
            try:
                self.answers[app.page] = ask(app, way, model, nonce)
            except (GlmLocustError, AssertionError) as error:
                self.errors[app.page] = f"{type(error).__name__}: {error}"

        # The first run of a server imports half of Python's scientific world: nobody else waits for it.
        ask(WARM_UP, way, model, f"the warm-up of {nonce}")
        Pool(AT_A_TIME).map(one, apps)
        self.took_s = (now_ns() - begun_ns) / 1e9

    @property
    def passed(self) -> int:
        """Apps all of whose answers are right."""
        return sum(not self.complaints(page) for page in self.answers)

    def complaints(self, page: str) -> list[str]:
        """What is wrong with an app's answers."""
        if page in self.errors:
            return [self.errors[page]]
        told = (answer.complaint() for answer in self.answers[page])
        return [complaint for complaint in told if complaint is not None]


def ask(app: App, way: Way, model: Model, nonce: str) -> list[Answered]:
    """Ask one app a few questions, one after the other, as one user."""
    client = StreamlitClient(way.target(app))
    try:
        client.check(app.images)
        return [asked(app, client, model, question) for question in _questions(app, model, nonce)]
    finally:
        client.close()


def _questions(app: App, model: Model, nonce: str) -> list[str]:
    """Unique, since the model server's log knows a question by its text; no two with the same answer."""
    found: dict[str, str] = {}
    for number in itertools.count():
        question = f"What do you think of number {number} of {app.page}, {nonce}?"
        found.setdefault(model.answer(question), question)
        if len(found) == app.turns:
            return list(found.values())
    raise AssertionError("counting has no end")


def asked(app: App, client: StreamlitClient, model: Model, question: str) -> Answered:
    prompt = Prompt("gallery", question, _images(app.images))
    scheduled_ns = now_ns()
    measurement = Measurement(
        path="web",
        task=prompt.task,
        phase=Phase.MEASURE,
        prompt_id=prompt.prompt_id,
        scheduled_ns=scheduled_ns,
        images=len(prompt.images),
    )
    client.ask(prompt, measurement)
    assert measurement.ended is not None
    record = measurement.seal(run_id="r", worker_id="w", seq=1)
    sent = app.asked(question)
    # What was not answered need not have reached the model: its record says why, and nobody waits.
    truths = model.truths(sent, scheduled_ns) if record.outcome is Outcome.OK else ()
    expected = tuple(app.shown(model.answer(text)).strip() for text in sent)
    return Answered(sent, record, app.streams, measurement.ended.text, expected, truths)


@functools.cache
def _images(count: int) -> tuple[Image, ...]:
    if count == 0:
        return ()
    image = Workload(seed=5, size=128, image_format="png").prompt("describe", 0).images[0]
    return tuple(
        Image(image.data, "image/png", image.width, image.height, f"image-{index}.png")
        for index in range(count)
    )
