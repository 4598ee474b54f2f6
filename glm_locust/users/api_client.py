"""ApiClient: asks an OpenAI-compatible server for one simulated user and measures the answers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import gevent
import httpx

from glm_locust.config import ApiTarget, Deadlines
from glm_locust.protocols.openai import OpenAISession
from glm_locust.protocols.status import kind_of_status
from glm_locust.records import Ended, ErrorKind, Measurement, Output, Signal
from glm_locust.transport.client import pieces, send
from glm_locust.transport.clock import now_ns
from glm_locust.transport.deadline import Deadline, Overdue, overdue_line
from glm_locust.transport.exchange import Exchange
from glm_locust.transport.failures import explain
from glm_locust.users.api_server import ApiServer
from glm_locust.workload.prompt import Prompt

DRAIN_NS: Final = 1_000_000_000
"""How long a server may take from the end of its answer to the end of its response, if its
connection is to be kept."""


class ApiClient:
    """One user's connection; questions go one after the other.

    Users of one process give the same `server`, so that it is checked and asked for its model
    once. `on_text` is called with each piece of an answer as it comes, reasoning excluded.
    """

    def __init__(
        self,
        target: ApiTarget,
        *,
        server: ApiServer | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self._target = target
        self._server = server or ApiServer(target)
        self._client = self._server.open_client()
        self._on_text = on_text
        self._session = self._new_session(target.model)
        self._ready: _Question | None = None

    def check(self) -> None:
        """Settle which model to ask for; raises ConfigError where no question could be answered."""
        self._session = self._new_session(self._server.model())
        self._ready = None

    def prepare(self, prompt: Prompt) -> None:
        """Build the request now, so that a following `ask` of this prompt need not."""
        (post,) = self._session.ask(prompt)
        url = self._server.base_url + post.path
        request = self._client.build_request("POST", url, content=post.body, headers=post.headers)
        self._ready = _Question(prompt, request, post.image_bytes)

    def ask(self, prompt: Prompt, measurement: Measurement) -> None:
        """Drive one question to its end, which the measurement holds, whatever the server does.

        Raises only what ends the greenlet (GreenletExit), after `measurement.cancel()`.
        """
        if self._ready is None or self._ready.prompt is not prompt:
            self.prepare(prompt)
        question = self._take_ready()
        exchange = Exchange(on_sent=measurement.submitted)
        pace = _Pace(self._target.deadlines, exchange)
        try:
            with Deadline(pace.due) as deadline:
                self._converse(question.request, measurement, exchange, pace, deadline)
        except Overdue:
            kind, detail = pace.overdue()
            measurement.fail(kind, detail, now_ns())
        except (httpx.HTTPError, OSError) as error:
            failure = explain(error, exchange.step)
            measurement.fail(failure.kind, self._server.hide(failure.detail), now_ns())
        except BaseException:
            measurement.cancel(now_ns())
            raise
        finally:
            measurement.bytes_out = exchange.bytes_out
            measurement.bytes_in = exchange.bytes_in
            measurement.image_bytes_out = question.image_bytes if exchange.sent_all_ns is not None else 0

    def idle(self, seconds: float) -> None:
        """Let time pass; nothing needs doing to keep an HTTP connection."""
        gevent.sleep(seconds)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _converse(
        self,
        request: httpx.Request,
        measurement: Measurement,
        exchange: Exchange,
        pace: "_Pace",
        deadline: Deadline,
    ) -> None:
        session = self._session
        response = send(self._client, request, exchange)
        try:
            if kind_of_status(response.status_code) is not None:
                measurement.http_status(response.status_code)
            head = session.head(response.status_code, response.headers.get("content-type", ""))
            self._note(head, measurement, exchange)
            for piece in pieces(response, exchange):
                if self._note(session.receive(piece), measurement, exchange):
                    first = pace.last_text_ns is None
                    pace.last_text_ns = exchange.at_ns
                    if first:
                        deadline.moved_up()
                end = measurement.ended
                if end is not None and end.kind is ErrorKind.PROTOCOL:
                    return  # nobody knows what such a server will still say
                if end is not None and pace.drained_ns is None:
                    pace.drained_ns = now_ns() + DRAIN_NS
                    deadline.moved_up()
            self._note(session.eof(), measurement, exchange)
        finally:
            response.close()

    def _note(self, signals: Iterable[Signal], measurement: Measurement, exchange: Exchange) -> bool:
        """Stamp the signals of one read; returns whether there was text among them."""
        at_ns = exchange.at_ns if exchange.at_ns is not None else now_ns()
        text = False
        for signal in signals:
            if isinstance(signal, Output):
                text = True
            elif isinstance(signal, Ended) and signal.detail:
                measurement.signal(replace(signal, detail=self._server.hide(signal.detail)), at_ns)
                continue
            measurement.signal(signal, at_ns, exchange.lag_us)
        return text

    def _new_session(self, model: str | None) -> OpenAISession:
        target = self._target
        return OpenAISession(
            model=model,
            max_tokens=target.max_tokens,
            extra_body=target.extra_body,
            think_tags=target.think_tags,
            on_text=self._on_text,
        )

    def _take_ready(self) -> "_Question":
        assert self._ready is not None
        question, self._ready = self._ready, None
        return question


@dataclass(frozen=True, slots=True)
class _Question:
    """A request that waits to be sent."""

    prompt: Prompt
    request: httpx.Request
    image_bytes: int
    """How many bytes of its body carry the images."""


@dataclass(slots=True)
class _Pace:
    """What an answer is due at: its first text, its next text, its end."""

    deadlines: Deadlines
    exchange: Exchange
    last_text_ns: int | None = None
    drained_ns: int | None = None
    """Set once the answer has ended: by then its response must have, too."""

    def due(self) -> int:
        """The instant from which on the answer is overdue; nothing is due before the question went off."""
        if self.drained_ns is not None:
            return self.drained_ns
        sent_ns = self.exchange.sent_ns
        start_ns = now_ns() if sent_ns is None else sent_ns
        total = start_ns + _ns(self.deadlines.total_s)
        if self.last_text_ns is None:
            return min(total, start_ns + _ns(self.deadlines.first_output_s))
        return min(total, self.last_text_ns + _ns(self.deadlines.stall_s))

    def overdue(self) -> tuple[ErrorKind, str]:
        """Which deadline passed."""
        limits, sent_ns = self.deadlines, self.exchange.sent_ns
        if sent_ns is not None and now_ns() >= sent_ns + _ns(limits.total_s):
            line = overdue_line("the answer did not end", limits.total_s, "total_s")
            return ErrorKind.TIMEOUT_TOTAL, line
        if self.last_text_ns is None:
            line = overdue_line("no text came", limits.first_output_s, "first_output_s")
            return ErrorKind.TIMEOUT_FIRST_OUTPUT, line
        return ErrorKind.TIMEOUT_STALL, overdue_line("no further text came", limits.stall_s, "stall_s")


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
