"""ChatUser: a Locust user who asks questions, each of them one request of Locust's."""

import itertools
import random
from collections.abc import Iterator
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

from locust import User
from locust.env import Environment
from locust.exception import StopTest

from glm_locust.conductor import Desk
from glm_locust.config import Scenario
from glm_locust.delivery import Recorder, recorder_of
from glm_locust.errors import ConfigError, one_line
from glm_locust.records import Measurement, Outcome, Phase, RequestRecord
from glm_locust.users.prompts import PromptSource, indices_of
from glm_locust.users.questions import assignment_of
from glm_locust.workload.prompt import Prompt

FOREVER_S = 10.0**8
"""How long a user rests that has nothing left to do; Locust ends it."""
KEEP_ALIVE_S = 5.0
"""How often a user who waits for something to be due looks after the connection."""
ERROR_LIMIT = 120
"""Characters of an error in Locust's table of failures."""


class Client(Protocol):
    """One user's connection to a server."""

    def check(self) -> None:
        """Make sure that questions can be asked; raises ConfigError saying what is wrong."""

    def prepare(self, prompt: Prompt) -> None:
        """Do what a following `ask` of this prompt needs and no server should be blamed for.

        Called before the request's clock starts: build the body, reconnect. Raises nothing of the
        server's: what is still wrong then, `ask` meets again.
        """

    def ask(self, prompt: Prompt, measurement: Measurement) -> None:
        """Drive one request to its end; raises only GreenletExit, after `measurement.cancel()`."""

    def idle(self, seconds: float) -> None:
        """Let time pass, keeping the connection alive."""

    def close(self) -> None:
        """Leave."""


class ChatUser(User):
    """Asks one question after the other and thinks between them (`wait_time`, or `--glm-think-time`).

    A subclass says how to `connect`. A locustfile may write tasks of its own that call `ask`;
    without any, questions of the tasks in `asks` are asked at random.
    """

    abstract = True
    path: ClassVar[str]
    """Names the way to the model in records and tables."""
    asks: ClassVar[tuple[str, ...]] = ()
    """Task ids to choose from; none: those of the scenario."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.abstract and not cls.tasks:
            cls.tasks = [cls.ask]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        try:
            self.recorder: Recorder = recorder_of(environment)
        except ConfigError as error:
            raise StopTest(str(error)) from None
        self._client: Client | None = None
        self._prompts: PromptSource | None = None
        self._asked = 0
        self._think = self.wait_time
        self._resting = False
        # Locust has the user wait by asking for the time to wait; the client passes it itself.
        self.wait_time = self._idle  # type: ignore[method-assign] # on this instance only

    def connect(self) -> Client:
        """This user's own client; raises ConfigError where it is not told what it needs."""
        raise NotImplementedError

    @property
    def scenario(self) -> Scenario:
        """What the options of the run say."""
        return assignment_of(self.environment).scenario

    def make_prompt(self, task: str, index: int) -> Prompt:
        """The question with this index, different from all others; runs in a native thread."""
        return assignment_of(self.environment).questions.prompt(task, index)

    def on_start(self) -> None:
        """Connect and prepare the first prompt; a target that cannot be used ends the run."""
        if self.recorder.closing:
            return
        assignment = assignment_of(self.environment)
        try:
            tasks = self.asks or assignment.tasks
            self._client = self.connect()
            self._client.check()
        except ConfigError as error:
            self.rest(str(error))
            return
        number = next(_users_of(self.environment))
        seed = f"{assignment.scenario.seed}/{self.recorder.worker_id}/{number}"
        indices = _indices_of(self.environment)
        closed_loop = assignment.desk is None
        self._prompts = PromptSource(self.make_prompt, tasks, indices, random.Random(seed), ahead=closed_loop)

    def on_stop(self) -> None:
        """Leave the server."""
        if (desk := assignment_of(self.environment).desk) is not None:
            desk.leave(self)
        if self._client is not None:
            self._client.close()

    def ask(self, task: str | None = None) -> RequestRecord | None:
        """Ask the next question, of this task or of a random one; None once the run is ending.

        The first ones of each user, as many as the scenario's `warmup` says, are not measured. In an
        open loop it is asked when one is due and this user's turn; then the first ones of the run count
        as warm-up, and a trace that has questions of its own has them asked.
        """
        if self._prompts is None or self.recorder.closing or self._resting:
            self._resting = True
            return None
        try:
            prompt = self._prompts.take(task)
        except ConfigError as error:
            self.rest(str(error))
            return None
        if (desk := assignment_of(self.environment).desk) is not None:
            return self._ask_when_due(desk, prompt)
        phase = Phase.WARMUP if self._asked < self.scenario.warmup else Phase.MEASURE
        self._asked += 1
        return self.request(prompt, phase=phase)

    def _ask_when_due(self, desk: Desk, prompt: Prompt) -> RequestRecord | None:
        assert self._client is not None
        self._client.prepare(prompt)
        while (errand := desk.take(self, patience_s=KEEP_ALIVE_S)) is None:
            if not desk.is_open or self.recorder.closing:
                self._resting = True
                return None
            self._client.idle(0)
        phase = Phase.WARMUP if errand.ticket.index < self.scenario.warmup else Phase.MEASURE
        try:
            return self.request(errand.prompt or prompt, scheduled_ns=errand.scheduled_ns, phase=phase)
        finally:
            desk.done(errand)

    def request(
        self,
        prompt: Prompt,
        *,
        scheduled_ns: int | None = None,
        phase: Phase | None = None,
        block: int | None = None,
        level: int | None = None,
    ) -> RequestRecord | None:
        """Ask this question now: one record, and one request of Locust's unless it was cancelled."""
        recorder, client = self.recorder, self._client
        if client is not None and scheduled_ns is None and not recorder.closing:
            client.prepare(prompt)
        if client is None or recorder.closing:  # looked at last: preparing may take its time
            self._resting = True
            return None
        measurement = recorder.begin(
            prompt, self.path, scheduled_ns=scheduled_ns, phase=phase, block=block, level=level
        )
        try:
            client.ask(prompt, measurement)
        finally:
            record = recorder.finish(measurement)
            fire_request(self, record)
        return record

    def rest(self, why: str) -> None:
        """Ask nothing any more and end the run: `why` tells a person what is wrong."""
        self._resting = True
        self.recorder.refuse(why)

    def _idle(self) -> float:
        if self._resting or self.recorder.closing:
            seconds = FOREVER_S
        elif assignment_of(self.environment).desk is not None:
            return 0.0
        else:
            seconds = self.scenario.think_time or float(self._think())
        if self._client is None:
            return seconds
        self._client.idle(seconds)
        return 0.0


def fire_request(user: User, record: RequestRecord) -> None:
    """Tell Locust of a finished request; a cancelled one is none."""
    if record.outcome is Outcome.CANCELLED:
        return
    user.environment.events.request.fire(
        request_type=record.path,
        name=record.task,
        response_time=e2e_ms(record),
        response_length=record.output_chars,
        exception=failure_text(record),
        context=user.context(),
        start_time=record.scheduled_ns / 1e9,
    )


def e2e_ms(record: RequestRecord) -> float:
    """E2E latency: from the submission to the end, the generator's own lateness included."""
    if record.sent_ns is None or record.submitted_ns is None:
        return (record.finished_ns - record.scheduled_ns) / 1e6
    send_lag_ns = record.sent_ns - record.scheduled_ns
    return (record.finished_ns - record.submitted_ns + send_lag_ns) / 1e6


def failure_text(record: RequestRecord) -> str | None:
    """What Locust's table of failures shows."""
    if record.error_kind is None:
        return None
    detail = one_line(record.error_detail or "", ERROR_LIMIT)
    return f"{record.error_kind}: {detail}" if detail else record.error_kind.value


_INDICES: "WeakKeyDictionary[Environment, Iterator[int]]" = WeakKeyDictionary()
_USERS: "WeakKeyDictionary[Environment, Iterator[int]]" = WeakKeyDictionary()


def _indices_of(environment: Environment) -> Iterator[int]:
    worker_index: Any = getattr(environment.runner, "worker_index", 0)
    return _INDICES.setdefault(environment, indices_of(worker_index))


def _users_of(environment: Environment) -> Iterator[int]:
    return _USERS.setdefault(environment, itertools.count())
