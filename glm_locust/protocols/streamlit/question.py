"""Question: how one prompt is put into a page and what the page does with it until the end.

    UPLOADING --> SETTLING --> ANSWERING --> ENDED
        |  file addresses   ^  the script runs because a file came or a field was left
        +-------------------+--> straight to ANSWERING where the uploader sits in the form or chat input

Without images it begins with SETTLING or ANSWERING.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto

from glm_locust.errors import one_line
from glm_locust.protocols.session import Command, HttpPut, SendMessage
from glm_locust.protocols.streamlit.answer import AnswerFinder, AnswerQuery, Candidate, containers_around
from glm_locust.protocols.streamlit.inputs import Inputs
from glm_locust.protocols.streamlit.multipart import multipart
from glm_locust.protocols.streamlit.page import Node, Page, error_of
from glm_locust.protocols.streamlit.schema import Wire
from glm_locust.protocols.streamlit.texts import shown_text, texts_of
from glm_locust.protocols.streamlit.values import UploadedFile, chat_state, file_urls_request, trigger_state
from glm_locust.protocols.streamlit.widgets import (
    PageError,
    Widget,
    WidgetQueries,
    listed,
    prompt_widget,
    submit_button,
    upload_widgets,
    widgets_of,
)
from glm_locust.records import Accepted, Ended, ErrorKind, Outcome, Signal
from glm_locust.workload.prompt import Prompt

NO_PROMPT = "no widget takes a prompt: name one with prompt_widget, or set with values what brings one up"
_SHOWN_TEXTS = 5


class Step(Enum):
    """What the question waits for."""

    UPLOADING = auto()
    SETTLING = auto()
    ANSWERING = auto()
    ENDED = auto()


class Question:
    """One question on one page; made just before it is asked, of no use after its end.

    The bodies of its uploads are built at once, so that no clock runs meanwhile.
    """

    def __init__(
        self,
        prompt: Prompt,
        page: Page,
        inputs: Inputs,
        queries: WidgetQueries,
        *,
        request_id: str,
        answer: AnswerQuery | None = None,
        blur_rerun: bool = False,
        last_turn: tuple[str, str] = ("", ""),
    ) -> None:
        self.prompt = prompt
        self.step = Step.SETTLING
        self.accepted = False
        """A script run of the question itself has started."""
        self._page = page
        self._inputs = inputs
        self._queries = queries
        self._request_id = request_id
        self._answer_query = answer or AnswerQuery()
        self._blur_rerun = blur_rerun
        self._last_turn = last_turn
        """The question before this one and its answer."""
        self.found = widgets_of(page)
        """The widgets on the page just before."""
        self.prompt_widget: Widget | None = None
        self.upload_widgets: list[Widget] = []
        self.submit_widget: Widget | None = None
        self._bodies = [multipart(image) for image in prompt.images]
        self._files: list[UploadedFile] = []
        self._errors: list[str] = []
        self._errors_before = frozenset(filter(None, map(error_of, page)))
        self._finder: AnswerFinder | None = None
        self._fragment_id = ""
        self._run_started = False
        self._interrupted = False
        """A run of the question was cut short by another."""
        self._only_probes = False
        self._pressed = False
        """A button was pressed that opens what takes the prompt."""
        self._typed = False
        """The text went off in a run of its own, as when a person leaves the field."""
        self._by_upload = False
        """The page seemed to have nothing but an uploader, so the upload is the question."""

    # -- asking ---------------------------------------------------------------------------------

    def begin(self) -> list[Command]:
        """The first messages; raises PageError where the page offers no way to ask."""
        prompt = self._prompt_widget()
        uploads = self._uploads(prompt)
        if prompt is None and not uploads:
            opener = None if self._pressed else self._inputs.press_again()
            if opener is None:
                raise PageError(f"{NO_PROMPT}; {self._seen()}")
            self._pressed = True
            return [self._settle(opener.widget, opener.triggers)]
        self._pressed = False
        if not uploads:
            self._inputs.detach_files()
            return self._submit()
        return [self._file_urls_request(submits=prompt is None and self._button(prompt, uploads) is None)]

    def probe(self) -> list[Command]:
        """Upload the images and use them for nothing."""
        self._only_probes = True
        return [self._file_urls_request(submits=False)]

    def uploaded(self, response: Wire) -> Iterator[Command | Signal]:
        """Take the addresses for the uploads."""
        if self.step is not Step.UPLOADING or response.response_id != self._request_id:
            return
        images = self.prompt.images
        if response.error_msg or len(response.file_urls) != len(images):
            said = response.error_msg or f"{len(response.file_urls)} addresses for {len(images)} files"
            yield self.failed(ErrorKind.SERVER_ERROR, f"the page gave no upload address: {said}")
            return
        for image, (body, content_type), urls in zip(images, self._bodies, response.file_urls, strict=True):
            self._files.append(UploadedFile(image.name, len(image.data), urls))
            yield HttpPut(urls.upload_url, body, {"Content-Type": content_type})
        if self._only_probes:
            self.step = Step.ENDED
            return
        self._inputs.set_all(strict=False)
        prompt = self._prompt_widget()
        first, *_ = uploads = self.upload_widgets = self._uploads(prompt)
        if first.kind != "chat_input":
            self._inputs.attach(uploads, self._files)
        if first.kind == "chat_input" or first.form_id:
            yield from self._submit()
        elif prompt is None and self._button(prompt, uploads) is None:
            self._by_upload = True
            yield self._send_question((), first)
        else:
            # Outside a form every change of a widget runs the script, so does a file that has arrived.
            yield self._settle(first)

    def _submit(self) -> list[Command]:
        """Send the question, or first the text where its button wants to see one."""
        self._by_upload = False
        self._inputs.set_all(strict=True)
        text = self.prompt.text
        prompt = self.prompt_widget = self._prompt_widget()
        if prompt is not None and 0 < prompt.longest_text < len(text):
            raise PageError(f"{prompt} takes {prompt.longest_text} characters, the prompt has {len(text)}")
        if prompt is not None and prompt.kind == "chat_input":
            state = chat_state(prompt, text, self._files, self._page.version)
            return [self._send_question([state], prompt)]
        uploads = self._uploads(prompt)
        button = self.submit_widget = self._button(prompt, uploads)
        if prompt is not None:
            self._inputs.set(prompt, text)
        if button is not None and button.disabled and (self._typed or prompt is None):
            raise PageError(f"{button} cannot be pressed; {self._seen()}")
        leaves_field = self._blur_rerun and prompt is not None and not prompt.form_id and not self._typed
        if button is not None and prompt is not None and (button.disabled or leaves_field):
            self._typed = True
            return [self._settle(prompt)]
        pressed = button or prompt or uploads[0]
        command = self._send_question([trigger_state(button)] if button is not None else [], pressed)
        if pressed.form_id:
            self._inputs.form_submitted(pressed.form_id)
        return [command]

    def _send_question(self, triggers: Iterable[Wire], widget: Widget) -> SendMessage:
        last_question, last_answer = self._last_turn
        self._finder = AnswerFinder(
            self.prompt.text,
            before=texts_of(self._page, self._answer_query.read),
            open_containers=containers_around(self._page, widget.path),
            query=self._answer_query,
            last_answer=last_answer if self._by_upload or last_question == self.prompt.text else "",
        )
        self._await_run(Step.ANSWERING, widget)
        message = self._inputs.rerun(triggers, fragment_id=self._fragment_id)
        return SendMessage(message, submits=not self._by_upload)

    def _settle(self, widget: Widget, triggers: Iterable[Wire] = ()) -> SendMessage:
        self._await_run(Step.SETTLING, widget)
        return SendMessage(self._inputs.rerun(triggers, fragment_id=self._fragment_id))

    def _await_run(self, step: Step, widget: Widget) -> None:
        self.step, self._run_started, self._interrupted = step, False, False
        self._fragment_id = widget.node.fragment_id

    def _file_urls_request(self, *, submits: bool) -> SendMessage:
        self.step = Step.UPLOADING
        names = [image.name for image in self.prompt.images]
        return SendMessage(file_urls_request(self._page, self._request_id, names), submits=submits)

    # -- listening ------------------------------------------------------------------------------

    def run_started(self, *, interrupts: bool = False) -> Iterator[Signal]:
        """A script run has begun on the page; `interrupts`: while the one before had not ended."""
        if not self._run_is_ours():
            return
        self._interrupted = self._interrupted or (interrupts and self._run_started)
        self._run_started = True
        if self.step is not Step.ANSWERING or self._finder is None:
            return
        self._finder.run_started()
        if not self.accepted:
            self.accepted = True
            if not self._by_upload:  # else a field may yet appear, and what was submitted was only a file
                yield Accepted()

    def element(self, node: Node) -> Iterator[Signal]:
        """The run has written a node."""
        if not self._run_started or not self._run_is_ours():
            return
        error = error_of(node)
        if error is not None:
            if error not in self._errors_before:
                self._errors.append(error)
        elif self.step is Step.ANSWERING and self._finder is not None:
            output = self._finder.take(self._page, node)
            if output is not None:
                yield output

    def run_finished(self) -> Iterator[Command | Signal]:
        """A script run has ended for good, not for the sake of a rerun."""
        if not self._run_started or not self._run_is_ours():
            return
        if self.step is Step.SETTLING:
            if self._errors and self._prompt_widget() is None:
                yield self.failed(ErrorKind.SERVER_ERROR, self._errors[0])
            elif self._pressed:
                yield from self.begin()
            else:
                yield from self._submit()
        elif self.step is Step.ANSWERING:
            yield from self._answered()

    @property
    def awaits_run(self) -> bool:
        """Whether the page has been told to run its script and has not begun to."""
        return self.step in (Step.SETTLING, Step.ANSWERING) and not self._run_started

    def ranking(self) -> list[Candidate]:
        """The texts that could be the answer as the page stands, best first."""
        return self._finder.ranking(self._page) if self._finder is not None else []

    def failed(self, kind: ErrorKind, detail: str) -> Ended:
        """The question ends badly; what had arrived of an answer is kept."""
        self.step = Step.ENDED
        chosen = self._choose()
        name, text = (chosen.name, chosen.shown) if chosen is not None else (None, "")
        return Ended(Outcome.FAILED, kind, one_line(detail, 480), answer=name, text=text)

    def text_of(self, candidate: str) -> str:
        """The text that a candidate shows now."""
        candidates = self._finder.candidates if self._finder is not None else []
        return next((c.text for c in candidates if c.name == candidate), "")

    def _answered(self) -> Iterator[Command | Signal]:
        chosen = self._choose()
        if self._errors:
            yield self.failed(ErrorKind.SERVER_ERROR, self._errors[0])
        elif self._interrupted and not (chosen is not None and self._stands(chosen)):
            yield self.failed(ErrorKind.TRUNCATED, "the script was started again before its answer had ended")
        elif chosen is not None:
            self.step = Step.ENDED
            yield Ended(Outcome.OK, answer=chosen.name, text=chosen.shown)
        elif self._by_upload and self._has_more_to_fill_in():
            yield from self._submit()
        else:
            yield self.failed(ErrorKind.EMPTY, f"the script ended without an answer; {self._hint()}")

    def _choose(self) -> Candidate | None:
        return self._finder.choose(self._page) if self._finder is not None else None

    def _stands(self, candidate: Candidate) -> bool:
        return self._finder is not None and self._finder.stands(self._page, candidate)

    def _has_more_to_fill_in(self) -> bool:
        prompt = self._prompt_widget()
        return prompt is not None or self._button(prompt, self._uploads(prompt)) is not None

    def _run_is_ours(self) -> bool:
        """Whole runs are; fragment runs only where the question was asked inside that fragment."""
        return not self._page.run_fragments or self._fragment_id in self._page.run_fragments

    def _prompt_widget(self) -> Widget | None:
        return prompt_widget(widgets_of(self._page), self._queries.prompt)

    def _uploads(self, prompt: Widget | None) -> list[Widget]:
        return upload_widgets(widgets_of(self._page), self._queries.upload, prompt, len(self.prompt.images))

    def _button(self, prompt: Widget | None, uploads: list[Widget]) -> Widget | None:
        return submit_button(widgets_of(self._page), self._queries.submit, prompt, uploads)

    def _hint(self) -> str:
        page = self._page
        seen = f"{shown_texts(page)}; widgets on the page: {listed(widgets_of(page))}"
        return f"{page.news()}if a text is it, say answer = {{path = ...}}; {seen}"

    def _seen(self) -> str:
        return seen_on(self._page)


def seen_on(page: Page) -> str:
    """The widgets and some texts of a page with their paths, in one line, for messages to people."""
    return f"{page.news()}widgets on the page: {listed(widgets_of(page))}; {shown_texts(page)}"


def shown_texts(page: Page) -> str:
    """The last texts of a page, each with its path."""
    found = [(node.path, text) for node in page if (text := one_line(shown_text(node), 40))]
    texts = [f"{'.'.join(map(str, path))} {text!r}" for path, text in found[-_SHOWN_TEXTS:]]
    return f"texts: {'; '.join(texts) or 'none'}"
