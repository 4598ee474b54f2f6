"""ComparisonUser: works off the tickets of a comparison's plan, each on the path that it names."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import gevent
from gevent.lock import RLock
from locust import User, task
from locust.env import Environment
from locust.exception import StopTest

from glm_locust.conductor import Desk, Errand
from glm_locust.delivery import Recorder, recorder_of
from glm_locust.errors import ConfigError, GlmLocustError
from glm_locust.users.chat import FOREVER_S, Client, fire_request

KEEP_ALIVE_S = 5.0
"""How often a page that is not asked is listened to; Streamlit waits 30 s for the answer to a ping."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the users of one worker need for a run."""

    desk: Desk
    connect: Callable[[str], Client]
    """A new client for a path, not yet connected; raises ConfigError."""
    open: Callable[[Client], None]
    """Do now what would otherwise be part of its next request; raises GlmLocustError."""
    think_time_s: float = 0.0
    """Pause between an answer and the next question."""


class ComparisonUser(User):
    """Holds one client per path, opened when first needed and kept open."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        try:
            self._workplace = workplace_of(environment)
            self._recorder: Recorder = recorder_of(environment)
        except ConfigError as error:
            raise StopTest(str(error)) from None
        self._lines: dict[str, _Line] = {}
        self._keeper: gevent.Greenlet | None = None

    def wait_time(self) -> float:
        """None, until there is nothing left to do; then until Locust ends the user."""
        return 0.0 if self._workplace.desk.is_open else FOREVER_S

    @task
    def work(self) -> None:
        """Take one ticket and make its request."""
        desk = self._workplace.desk
        errand = desk.take(self, self._get_ready)
        if errand is None:
            return
        try:
            self._ask(errand)
            if errand.scheduled_ns is None:
                self._think(errand.ticket.path)
        finally:
            desk.done(errand)

    def on_start(self) -> None:
        """Look after the pages that are open and not asked."""
        self._keeper = gevent.spawn(self._keep_alive)

    def on_stop(self) -> None:
        """Leave the desk and the servers."""
        if self._keeper is not None:
            self._keeper.kill()
        self._workplace.desk.leave(self)
        for line in self._lines.values():
            line.client.close()

    def _ask(self, errand: Errand) -> None:
        ticket, recorder = errand.ticket, self._recorder
        line, prompt = self._line(ticket.path), errand.prompt
        if line is None or prompt is None:
            return
        with line.lock:
            if not recorder.closing:
                line.client.prepare(prompt)
            if recorder.closing:  # looked at last: preparing may take its time
                return
            measurement = recorder.begin(
                prompt,
                ticket.path,
                scheduled_ns=errand.scheduled_ns,
                phase=ticket.phase,
                block=ticket.block,
                level=ticket.level,
            )
            try:
                line.client.ask(prompt, measurement)
            finally:
                fire_request(self, recorder.finish(measurement))

    def _think(self, path: str) -> None:
        line, seconds = self._lines.get(path), self._workplace.think_time_s
        if line is not None and seconds > 0 and not self._recorder.closing:
            with line.lock:
                line.client.idle(seconds)

    def _get_ready(self, paths: frozenset[str]) -> None:
        """Connect to what the next block needs, so that no request has to wait for it."""
        for path in sorted(paths):
            line = self._line(path)
            if line is None:
                return
            try:
                with line.lock:
                    self._workplace.open(line.client)
            except GlmLocustError as error:
                # The targets were fine when the run began; now the requests will tell what is wrong.
                _log.warning("glm_locust: %s: %s", path, error)

    def _keep_alive(self) -> None:
        """Answer the pings of pages that are not asked now: a server forgets a user who does not."""
        while True:
            gevent.sleep(KEEP_ALIVE_S)
            for line in list(self._lines.values()):
                if line.lock.acquire(blocking=False):
                    try:
                        line.client.idle(0)
                    finally:
                        line.lock.release()

    def _line(self, path: str) -> "_Line | None":
        """This user's line to a path; None where it cannot be had, which ends the run."""
        if path not in self._lines:
            try:
                self._lines[path] = _Line(self._workplace.connect(path))
            except ConfigError as error:
                self._recorder.refuse(str(error))
        return self._lines.get(path)


@dataclass(frozen=True, slots=True)
class _Line:
    """A client, and who may use it: the user's own greenlet or the one that keeps it alive."""

    client: Client
    lock: RLock = field(default_factory=RLock)


_WORKPLACES: "WeakKeyDictionary[Environment, Workplace]" = WeakKeyDictionary()


def furnish(environment: Environment, workplace: Workplace) -> None:
    """Say where the users of the environment's present run work."""
    _WORKPLACES[environment] = workplace


def workplace_of(environment: Environment) -> Workplace:
    """Where the users of the environment work; raises ConfigError where nobody has said so."""
    try:
        return _WORKPLACES[environment]
    except KeyError:
        raise ConfigError(
            "ComparisonUser works only under glm_locust.comparison: "
            "call glm_locust.comparison.install() at the top of the locustfile"
        ) from None
