"""ComparisonUser: works off the tickets of a comparison's plan, each on the path that it names."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from locust import User, task
from locust.env import Environment
from locust.exception import StopTest

from glm_locust.conductor import Desk, Errand
from glm_locust.delivery import Recorder, recorder_of
from glm_locust.errors import ConfigError, GlmLocustError
from glm_locust.users.chat import FOREVER_S, Client, fire_request
from glm_locust.workload.prompt import Prompt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the users of one worker need for a run."""

    desk: Desk
    connect: Callable[[str], Client]
    """A new client for a path, not yet connected; raises ConfigError."""
    open: Callable[[Client], None]
    """Do now what would otherwise be part of its next request; raises GlmLocustError."""
    prepare: Callable[[Client, Prompt], None]
    """Do what can be done of a request before its clock starts."""
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
        self._clients: dict[str, Client] = {}

    def wait_time(self) -> float:
        """None, until there is nothing left to do; then until Locust ends the user."""
        return 0.0 if self._workplace.desk.is_open else FOREVER_S

    @task
    def work(self) -> None:
        """Take one ticket and make its request."""
        desk = self._workplace.desk
        errand = desk.take(self, self._get_ready, self._keep_alive)
        if errand is None:
            return
        try:
            self._ask(errand)
            self._think(errand.ticket.path)
        finally:
            desk.done(errand)

    def on_stop(self) -> None:
        """Leave the desk and the servers."""
        self._workplace.desk.leave(self)
        for client in self._clients.values():
            client.close()

    def _ask(self, errand: Errand) -> None:
        ticket, recorder = errand.ticket, self._recorder
        client = self._client(ticket.path)
        if client is None or recorder.closing:
            return
        client.prepare(errand.prompt)
        if recorder.closing:
            return
        self._workplace.prepare(client, errand.prompt)
        measurement = recorder.begin(
            errand.prompt, ticket.path, phase=ticket.phase, block=ticket.block, level=ticket.level
        )
        try:
            client.ask(errand.prompt, measurement)
        finally:
            fire_request(self, recorder.finish(measurement))

    def _think(self, path: str) -> None:
        client, seconds = self._clients.get(path), self._workplace.think_time_s
        if client is not None and seconds > 0 and not self._recorder.closing:
            client.idle(seconds)

    def _get_ready(self, paths: frozenset[str]) -> None:
        """Connect to what the next block needs, so that no request has to wait for it."""
        for path in sorted(paths):
            client = self._client(path)
            if client is None:
                return
            try:
                self._workplace.open(client)
            except GlmLocustError as error:
                # The targets were fine when the run began; now the requests will tell what is wrong.
                _log.warning("glm_locust: %s: %s", path, error)

    def _keep_alive(self) -> None:
        for client in self._clients.values():
            client.idle(0)

    def _client(self, path: str) -> Client | None:
        """This user's client for a path; None where it cannot be made, which ends the run."""
        if path not in self._clients:
            try:
                self._clients[path] = self._workplace.connect(path)
            except ConfigError as error:
                self._recorder.refuse(str(error))
        return self._clients.get(path)


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
