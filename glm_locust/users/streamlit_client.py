"""StreamlitClient: one simulated user in front of a Streamlit page, measured like any other path."""

import base64
import contextlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import gevent

from glm_locust.config import WebTarget
from glm_locust.errors import ConfigError, LocalProtocolError
from glm_locust.protocols import Command, HttpPut, SendMessage
from glm_locust.protocols.streamlit import PageError, StreamlitSession
from glm_locust.records import Ended, ErrorKind, Measurement, Outcome, Output, Signal
from glm_locust.transport.clock import now_ns
from glm_locust.transport.deadline import overdue_line
from glm_locust.transport.exchange import Exchange
from glm_locust.transport.failures import Step, explain
from glm_locust.transport.observer import Observer
from glm_locust.transport.websocket import BROKEN, ClosedError, Message, WebSocket
from glm_locust.users.streamlit_assets import Loaded, PageAssets
from glm_locust.users.streamlit_choices import session_for
from glm_locust.users.streamlit_fragments import FragmentTimer
from glm_locust.users.streamlit_pace import Pace
from glm_locust.users.streamlit_page import PageFaultError, StreamlitPage
from glm_locust.workload.prompt import Image, Prompt

_PROBE: Final = Prompt(
    "probe",
    "",
    (
        Image(
            base64.b64decode(
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
            ),
            "image/png",
            1,
            1,
            "probe.png",
        ),
    ),
)


class StreamlitClient:
    """One user's browser tab; questions go one after the other.

    `on_text` is called with each piece of text that may be the answer's, as it comes; where another
    text begins, with a line break first.
    """

    def __init__(
        self,
        target: WebTarget,
        *,
        on_text: Callable[[str], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._deadlines = target.deadlines
        self._page = StreamlitPage(target, observer=observer)
        self._session = session_for(target, self._page.base_url)
        self._fragments = FragmentTimer(self._session, active=target.auto_rerun)
        self._assets = PageAssets(self._page) if target.load_assets else None
        self._on_text = on_text
        self._told: str | None = None
        """The candidate whose text was handed over last."""
        self._socket: WebSocket | None = None
        self._untold_break = False
        """The connection was lost while nothing was asked, so no request has failed by it."""
        self._lost_sessions = 0
        """Those that requests know of."""

    @property
    def session(self) -> StreamlitSession:
        """The tab itself: its page, its widgets, how often the server forgot it."""
        return self._session

    @property
    def loads(self) -> Sequence[Loaded]:
        """What was loaded beside the websocket, where the target says so."""
        return self._assets.loads if self._assets is not None else ()

    @property
    def connected(self) -> bool:
        """False before `open` and after a lost connection; then the next question reconnects first."""
        return self._socket is not None

    def check(self, images: int = 0) -> None:
        """Open the page and make sure that it takes questions of so many images.

        Where the page takes images, a tiny one is uploaded and not used. Raises ConfigError.
        """
        try:
            self.inspect(images)
            if self._takes(1):
                self._probe_upload()
        except PageFaultError as fault:
            self._drop()
            url = self._page.base_url
            advice = f"to see each step: glm-locust ask --web {shlex.quote(url)} --explain"
            raise ConfigError(f"page {url}: {fault}; {advice}") from None

    def inspect(self, images: int = 0) -> None:
        """Open the page and make sure that it has widgets for so many images; raises PageFaultError."""
        self.open()
        try:
            self._session.require(images)
        except PageError as error:
            errors = self._session.opening_errors
            kind = ErrorKind.SERVER_ERROR if errors else ErrorKind.PROTOCOL
            raise PageFaultError(kind, self.hide(errors[0] if errors else str(error))) from None

    def hide(self, text: str) -> str:
        """`text` without the secrets of the target."""
        return self._page.hide(text)

    def open(self) -> None:
        """Load the page unless it stands already; raises PageFaultError.

        After a lost connection this is what a person's reload does: the server may still know the
        session, else `session.lost_sessions` counts one more.
        """
        try:
            if self._socket is not None:
                self._listen(self._socket, now_ns())
        except BROKEN:
            self._drop()
            self._untold_break = True
        if self._socket is not None and self._session.idle:
            return
        self._drop()
        try:
            if self._assets is not None:
                self._assets.load_page()
            self._socket = self._page.connect(self._session.page.session_id, self._session.page.version)
            self._carry_out(self._session.open(), self._socket)
            self._wait_for_page(self._socket, "its first run did not end")
        except BROKEN as error:
            fault = self._fault(error, Step.AWAIT)
            self._drop()
            raise fault from None
        except BaseException:
            self._drop()
            raise

    def prepare(self, prompt: Prompt) -> None:  # noqa: ARG002 - the contract of all clients
        """Load the page again if it was lost, so that a following `ask` need not."""
        # Where the page cannot be had, the question itself tells why.
        with contextlib.suppress(PageFaultError):
            self.open()

    def ask(self, prompt: Prompt, measurement: Measurement) -> None:
        """Drive one question to its end, which the measurement holds, whatever the server does.

        Raises only what ends the greenlet (GreenletExit), after `measurement.cancel()`.
        """
        try:
            self.open()
            if self._was_forgotten():
                line = "the page had forgotten the session: its history and files are gone"
                measurement.fail(ErrorKind.SESSION_LOST, line, now_ns())
                return
            self._converse(prompt, measurement)
        except PageFaultError as fault:
            if fault.status is not None:
                measurement.http_status(fault.status)
            measurement.fail(fault.kind, str(fault), now_ns())
            self._drop()
        except PageError as error:
            errors = self._session.opening_errors
            kind = ErrorKind.SERVER_ERROR if errors else ErrorKind.PROTOCOL
            measurement.fail(kind, self.hide(errors[0] if errors else str(error)), now_ns())
            self._drop()  # a person would load such a page again
        except BROKEN as error:
            self._note_break(error, measurement)
        except BaseException:
            measurement.cancel(now_ns())
            self._drop()
            raise

    def idle(self, seconds: float) -> None:
        """Think for so long, reading meanwhile: a server drops a browser that leaves its pings unanswered."""
        until_ns = now_ns() + int(seconds * 1e9)
        try:
            if self._socket is not None:
                self._listen(self._socket, until_ns)
        except BROKEN:
            self._drop()
            self._untold_break = True
        # gevent counts from the loop's last look at the clock, so it may wake us too soon.
        while (left_s := (until_ns - now_ns()) / 1e9) > 0:
            gevent.sleep(left_s)

    def close(self) -> None:
        """Leave the page and close every connection."""
        self._drop()
        self._page.close()

    # -- one question ---------------------------------------------------------------------------

    def _converse(self, prompt: Prompt, measurement: Measurement) -> None:
        socket = self._socket
        assert socket is not None
        commands = self._session.ask(prompt)
        self._told = None
        bytes_in, bytes_out = socket.bytes_in, socket.bytes_out
        pace = Pace(self._deadlines)
        try:
            self._carry_out(commands, socket, measurement, pace)
            while measurement.ended is None:
                message = self._receive(socket, pace.due(awaits_run=self._session.awaits_run))
                if message is None:
                    kind, detail = pace.overdue(awaits_run=self._session.awaits_run)
                    measurement.fail(kind, detail, now_ns())
                    self._drop()
                else:
                    self._take(message, socket, measurement, pace)
        finally:
            measurement.bytes_in += socket.bytes_in - bytes_in
            measurement.bytes_out += socket.bytes_out - bytes_out
        if measurement.ended.kind is ErrorKind.PROTOCOL:
            self._drop()  # nobody knows what the rest of this connection would mean
        elif measurement.ended.outcome is not Outcome.OK and not self._takes(len(prompt.images)):
            self._drop()  # an error has taken the place of the widgets: only loading the page again helps
        elif self._assets is not None:
            self._assets.load_media(self._session.page)

    def _take(self, message: Message, socket: WebSocket, measurement: Measurement, pace: Pace) -> None:
        for result in self._session.receive(message.data):
            if isinstance(result, Command):
                self._carry_out([result], socket, measurement, pace)
                continue
            signal: Signal = result
            if isinstance(signal, Output):
                pace.last_text_ns = message.at_ns
                if self._on_text is not None:
                    if self._told not in (None, signal.candidate):
                        self._on_text("\n")
                    self._told = signal.candidate
                    self._on_text(self._session.text_of(signal.candidate)[-signal.chars :])
            elif isinstance(signal, Ended) and signal.detail:
                signal = replace(signal, detail=self.hide(signal.detail))
            measurement.signal(signal, message.at_ns, message.lag_us)

    def _carry_out(
        self,
        commands: Iterable[Command | Signal],
        socket: WebSocket,
        measurement: Measurement | None = None,
        pace: Pace | None = None,
    ) -> None:
        for command in commands:
            match command:
                case SendMessage(data=data, submits=submits):
                    at_ns = now_ns()
                    if measurement is not None and pace is not None:
                        pace.sent(at_ns, submits=submits)
                        measurement.submitted(at_ns) if submits else measurement.sent(at_ns)
                    socket.send(data)
                case HttpPut():
                    self._upload(command, measurement, pace)
                case _:
                    raise LocalProtocolError(f"a page has no use for {type(command).__name__}")

    def _upload(self, put: HttpPut, measurement: Measurement | None, pace: Pace | None) -> None:
        exchange = Exchange()
        limit_s = self._deadlines.first_output_s
        if pace is not None:
            limit_s = max(0.001, (pace.due(awaits_run=False) - now_ns()) / 1e9)
        try:
            self._page.upload(put, exchange, limit_s)
        finally:
            if measurement is not None:
                measurement.bytes_out += exchange.bytes_out
                measurement.bytes_in += exchange.bytes_in
                measurement.image_bytes_out += len(put.body) if exchange.sent_all_ns is not None else 0

    def _note_break(self, error: Exception, measurement: Measurement) -> None:
        """A connection has gone: whose fault, and what of the answer had come."""
        at_ns = now_ns()
        fault = self._fault(error, Step.RECEIVE if self._session.accepted else Step.AWAIT)
        for signal in self._session.eof(str(fault), fault.kind):
            measurement.signal(signal, at_ns)
        measurement.fail(fault.kind, str(fault), at_ns)
        self._drop()

    def _fault(self, error: BaseException, step: Step) -> PageFaultError:
        """What the break of the websocket counts as."""
        failure = explain(error, step)
        if not isinstance(error, ClosedError):
            return PageFaultError(failure.kind, self.hide(failure.detail))
        return PageFaultError(error.kind or failure.kind, self.hide(str(error)))

    # -- the page -------------------------------------------------------------------------------

    def _was_forgotten(self) -> bool:
        """Whether the server has forgotten a user who had asked before, and nobody was told of it yet."""
        forgotten = self._session.lost_sessions > self._lost_sessions and self._untold_break
        self._lost_sessions, self._untold_break = self._session.lost_sessions, False
        return forgotten and self._session.last_question is not None

    def _takes(self, images: int) -> bool:
        try:
            self._session.require(images)
        except PageError:
            return False
        return True

    def _probe_upload(self) -> None:
        socket = self._socket
        assert socket is not None
        try:
            self._carry_out(self._session.probe_upload(_PROBE), socket)
            self._wait_for_page(socket, "no address for an upload came")
        except BROKEN as error:
            raise self._fault(error, Step.AWAIT) from None

    def _wait_for_page(self, socket: WebSocket, otherwise: str) -> None:
        begun_ns = now_ns()
        while not self._session.idle:
            starting = self._session.awaits_run
            limit_s = self._deadlines.first_output_s
            if starting:
                limit_s = min(limit_s, self._deadlines.script_start_s)
            message = socket.receive(begun_ns + int(limit_s * 1e9))
            if message is None:
                late = "its script did not start" if starting else otherwise
                name = "script_start_s" if starting else "first_output_s"
                raise PageFaultError(ErrorKind.TIMEOUT_FIRST_OUTPUT, overdue_line(late, limit_s, name))
            for result in self._session.receive(message.data):
                if isinstance(result, Ended):
                    raise PageFaultError(result.kind or ErrorKind.PROTOCOL, self.hide(result.detail or ""))
                self._carry_out([result], socket)
                begun_ns = now_ns()  # one more run of the script, which may take as long

    def _listen(self, socket: WebSocket, until_ns: int) -> None:
        while (message := self._receive(socket, until_ns)) is not None:
            self._session.receive(message.data)

    def _receive(self, socket: WebSocket, until_ns: int) -> Message | None:
        """The next message, None once `until_ns` has passed; fragments run meanwhile as they are due."""
        while True:
            due_ns = self._fragments.next_ns(now_ns())
            message = socket.receive(min(until_ns, due_ns))
            if message is not None or now_ns() < due_ns:
                return message
            self._carry_out(self._fragments.take_due(now_ns()), socket)
            if until_ns <= due_ns:
                return None

    def _drop(self) -> None:
        socket, self._socket = self._socket, None
        self._session.abandon()
        if socket is not None:
            socket.close()
