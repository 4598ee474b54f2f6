"""StreamlitSession: one browser tab on one page, as a sans-IO state machine.

Each interaction is one message with the values of all widgets, answered by a run of the script:
`new_session`, deltas, `script_finished`. A run may end "early for a rerun" (`st.rerun`): then
another follows and belongs to the same interaction. An interrupted run never ends at all; the next
`new_session` simply appears.
"""

import itertools
from collections.abc import Iterator, Sequence

from glm_locust.errors import LocalProtocolError, RemoteProtocolError, one_line
from glm_locust.protocols.session import Command, SendMessage
from glm_locust.protocols.streamlit.answer import AnswerQuery
from glm_locust.protocols.streamlit.inputs import Inputs, Setting
from glm_locust.protocols.streamlit.page import Page, error_of
from glm_locust.protocols.streamlit.question import NO_PROMPT, Question, Step, seen_on
from glm_locust.protocols.streamlit.schema import (
    FINISHED_COMPILE_ERROR,
    FINISHED_EARLY_FOR_RERUN,
    Wire,
    decode,
)
from glm_locust.protocols.streamlit.values import file_urls_request
from glm_locust.protocols.streamlit.widgets import (
    PageError,
    Widget,
    WidgetQueries,
    prompt_widget,
    upload_widgets,
    widgets_of,
)
from glm_locust.records import Ended, ErrorKind, Signal
from glm_locust.workload.prompt import Prompt

_MAX_AUTO_RERUNS = 100

_LEFT_OVER = "left-over"


class StreamlitSession:
    """One tab: `open`, then `ask` as often as wanted while `idle`; feed `receive` whole messages.

    `url` is the page's address as the browser tells it to the app. After a lost connection call
    `open` again and go on with the same session: the page may still know us.
    """

    def __init__(
        self,
        url: str,
        *,
        page: str | None = None,
        queries: WidgetQueries | None = None,
        answer: AnswerQuery | None = None,
        settings: Sequence[Setting] = (),
        blur_rerun: bool = False,
    ) -> None:
        self.page = Page()
        self.lost_sessions = 0
        """How often the server had forgotten this tab: its history and uploaded files were gone."""
        self.opening_errors: list[str] = []
        """What the page showed as exception or error while it opened."""
        self._refusal = ""
        self.last_question: Question | None = None
        """The present question or, after its end, the one before."""
        self._wanted_page = page
        self._queries = queries or WidgetQueries()
        self.answer_query = answer or AnswerQuery()
        """What was said about the answer instead of leaving it to the rule."""
        self._blur_rerun = blur_rerun
        self._inputs = Inputs(self.page, url, settings)
        self._question: Question | None = None
        self._open = False
        self._opening_run = False
        self._unfinished = False
        """The connection before was lost while the script ran: its messages may still come."""
        self._skipping = False
        """What comes is left over from before."""
        self._opening_fragment = ""
        self._answered: tuple[str, str] = ("", "")
        """The last question and its answer."""
        self.auto_reruns: dict[str, float] = {}
        """Fragments that want to be run again and again -> every how many seconds."""
        self._request_numbers = itertools.count(1)

    @property
    def idle(self) -> bool:
        """Whether the page is open and a question may be asked."""
        return self._open and self._question is None

    @property
    def accepted(self) -> bool:
        """Whether the script run of the present question has started."""
        return self._question is not None and self._question.accepted

    @property
    def awaits_run(self) -> bool:
        """Whether the page has been told to run its script and has not begun to."""
        if self._question is not None:
            return self._question.awaits_run
        return not self._open and not self._opening_run

    @property
    def queries(self) -> WidgetQueries:
        """The widgets that were named instead of being left to the rule."""
        return self._queries

    @property
    def widgets(self) -> list[Widget]:
        """The widgets on the page now."""
        return widgets_of(self.page)

    def open(self) -> list[Command]:
        """Ask for the first run of the page; the session is `idle` once it has ended.

        A server that knows us may begin with messages of a run that was cut off. They are told apart by
        a request for no upload at all, whose answer comes after them.
        """
        self._open = self._opening_run = False
        self._skipping, self._unfinished = self._unfinished, False
        self._opening_fragment = ""
        self._question = None
        self.page.clear()
        self.opening_errors.clear()
        self._refusal = ""
        self.auto_reruns.clear()
        self._inputs.begin()
        if self._skipping:
            return [SendMessage(file_urls_request(self.page, _LEFT_OVER, ["none"]))]
        return [SendMessage(self._inputs.rerun())]

    def require(self, images: int) -> None:
        """Raise PageError unless the page, as it stands, takes a question with so many images."""
        self._expect_all_set()
        prompt = prompt_widget(self.widgets, self._queries.prompt)
        uploads = upload_widgets(self.widgets, self._queries.upload, prompt, images)
        if prompt is None and not uploads:
            raise PageError(f"{NO_PROMPT}; {seen_on(self.page)}")

    def ask(self, prompt: Prompt) -> list[Command]:
        """Begin one question; raises PageError where the page offers no way to ask it."""
        self._expect_all_set()
        question = self._new_question(prompt)
        self.last_question = question
        commands = question.begin()
        self._question = question
        return commands

    def probe_upload(self, prompt: Prompt) -> list[Command]:
        """Upload the prompt's images and use them for nothing; `idle` again once that is done."""
        self._question = self._new_question(prompt)
        return self._question.probe()

    def receive(self, data: bytes) -> list[Command | Signal]:
        """Take one whole message; raises RemoteProtocolError for garbage outside a question."""
        try:
            taken = list(self._take(decode(data)))
        except (RemoteProtocolError, PageError) as error:
            if self._question is None:
                raise
            taken = [self._question.failed(ErrorKind.PROTOCOL, str(error))]
        if self._question is not None and self._question.step is Step.ENDED:
            self._answered = (
                self._question.prompt.text,
                next((signal.text for signal in taken if isinstance(signal, Ended)), ""),
            )
            self._question = None
        return taken

    def auto_rerun(self, fragment_id: str) -> list[Command]:
        """Run a fragment of `auto_reruns` once more; none where it has stopped."""
        if not self._open or fragment_id not in self.auto_reruns:
            return []
        return [SendMessage(self._inputs.rerun(fragment_id=fragment_id, is_auto_rerun=True))]

    def eof(
        self, detail: str = "connection closed by the server", kind: ErrorKind | None = None
    ) -> list[Signal]:
        """The connection is gone; `detail` says how, in one line, `kind` what a question fails by."""
        lost = ErrorKind.TRUNCATED if self.accepted else ErrorKind.CONNECT
        question = self._question
        self.abandon()
        return [question.failed(kind or lost, detail)] if question is not None else []

    def abandon(self) -> None:
        """Forget the present question: its connection is closed."""
        cut_off = self._question is not None or self.page.running or self._skipping
        self._unfinished = self._unfinished or cut_off
        self._question = None
        self._open = False

    def text_of(self, candidate: str) -> str:
        """The text that a candidate of the present question shows now; empty after its end."""
        return self._question.text_of(candidate) if self._question is not None else ""

    def _new_question(self, prompt: Prompt) -> Question:
        if not self.idle:
            raise LocalProtocolError("a question to a page that is not open or is still answering")
        return Question(
            prompt,
            self.page,
            self._inputs,
            self._queries,
            request_id=f"upload-{next(self._request_numbers)}",
            answer=self.answer_query,
            blur_rerun=self._blur_rerun,
            last_turn=self._answered,
        )

    def _take(self, raw: Wire) -> Iterator[Command | Signal]:
        message = self.page.resolve(raw)
        if message is None:
            return
        if self._skipping:
            if message.file_urls_response.response_id == _LEFT_OVER:
                self._skipping = False
                yield SendMessage(self._inputs.rerun())
            return
        match message.WhichOneof("type"):
            case "delta":
                yield from self._delta(message)
            case "new_session":
                yield from self._new_session(message)
            case "script_finished":
                yield from self._script_finished(message.script_finished)
            case "file_urls_response" if self._question is not None:
                yield from self._question.uploaded(message.file_urls_response)
            case "navigation":
                self.page.navigate(message.navigation)
            case "session_event":
                yield from self._session_event(message.session_event)
            case "auth_redirect":
                yield from self._page_failed("the page asks for a login")
            case "auto_rerun":
                if message.auto_rerun.interval > 0 and len(self.auto_reruns) < _MAX_AUTO_RERUNS:
                    self.auto_reruns[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            case "stop_auto_rerun":
                for fragment_id in message.stop_auto_rerun.fragment_ids:
                    self.auto_reruns.pop(fragment_id, None)
            case None:
                self.page.note_unknown("message", message)
            case "page_not_found":
                name = one_line(message.page_not_found.page_name, 80)
                yield from self._page_failed(f"the app has no page {name!r}")

    def _new_session(self, message: Wire) -> Iterator[Signal]:
        known, interrupts = self.page.session_id, self.page.running
        self.page.begin_run(message)
        if not self.page.run_fragments:
            self.auto_reruns.clear()  # a run of the whole script asks for them anew
        if known and self.page.session_id != known:
            # The server has forgotten us: what was uploaded is gone, and so are all values.
            self.lost_sessions += 1
            self._inputs.forget_all()
        if self._question is not None:
            yield from self._question.run_started(interrupts=interrupts)
        elif not self._open and self._is_opening_run():
            self._opening_run = True
            self.opening_errors.clear()

    def _delta(self, message: Wire) -> Iterator[Signal]:
        node = self.page.place(message)
        if node is None:
            return
        if getattr(node.content, "set_value", False):
            self._inputs.forget(node.content.id)  # the app itself has set another value
        if self._question is not None:
            yield from self._question.element(node)
        elif self._opening_run:
            error = error_of(node)
            if error is not None:
                self.opening_errors.append(error)

    def _script_finished(self, status: int) -> Iterator[Command | Signal]:
        self.page.finish_run(status)
        if status in (FINISHED_EARLY_FOR_RERUN, FINISHED_COMPILE_ERROR):
            return  # another run follows; what is wrong with the script comes in a message of its own
        self._inputs.forget_gone()
        if self._question is not None:
            yield from self._question.run_finished()
        elif self._opening_run:
            self._opening_run = False
            yield from self._opened()

    def _opened(self) -> Iterator[Command]:
        wanted = self._wanted_page
        if wanted is not None:
            page = self.page.find_page(wanted)
            if page is None:
                names = ", ".join(repr(one_line(p.name, 40)) for p in self.page.pages[:20])
                self._refuse(f"the app has no page {wanted!r}; its pages: {names or 'none'}")
            elif page.script_hash != self.page.script_hash:
                yield SendMessage(self._inputs.rerun(script_hash=page.script_hash))
                return
        try:
            while (touched := self._inputs.set_next()) is not None:
                # Outside a form every change runs the script, which may show further widgets.
                if touched.triggers or not touched.widget.form_id:
                    self._opening_fragment = touched.widget.node.fragment_id
                    yield SendMessage(
                        self._inputs.rerun(touched.triggers, fragment_id=self._opening_fragment)
                    )
                    return
        except PageError as error:
            self._refuse(str(error))
        self._open = True

    def _refuse(self, line: str) -> None:
        """What was asked for beforehand cannot be had: no question may go to some other page or model."""
        self._refusal = line
        self.opening_errors.insert(0, line)

    def _expect_all_set(self) -> None:
        if self._refusal:
            raise PageError(self._refusal)

    def _is_opening_run(self) -> bool:
        fragments = self.page.run_fragments
        return not fragments or self._opening_fragment in fragments

    def _session_event(self, event: Wire) -> Iterator[Signal]:
        if event.WhichOneof("type") == "script_compilation_exception":
            error = event.script_compilation_exception
            said = one_line(f"{error.type}: {error.message}")
            yield from self._page_failed(f"the page's script does not compile: {said}")

    def _page_failed(self, line: str) -> Iterator[Signal]:
        if self._question is not None:
            yield self._question.failed(ErrorKind.SERVER_ERROR, line)
        elif not self._open:
            self.opening_errors.append(line)
            self._open, self._opening_run = True, False
