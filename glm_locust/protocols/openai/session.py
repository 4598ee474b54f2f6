"""OpenAISession: one question over chat completions, from its body to the signals of its answer."""

from collections.abc import Callable, Mapping
from typing import Final

from glm_locust.errors import RemoteProtocolError, one_line
from glm_locust.protocols.openai.request import chat_request
from glm_locust.protocols.openai.thinking import Piece, ThinkTags
from glm_locust.protocols.openai.wire import Chunk, Message, error_text, read_chunk
from glm_locust.protocols.session import HttpPost
from glm_locust.protocols.sse import SseEvent, SseSplitter
from glm_locust.protocols.status import kind_of_status
from glm_locust.records import Accepted, Ended, ErrorKind, Outcome, Output, Signal, TextKind, Usage
from glm_locust.workload.prompt import Prompt

BODY_LIMIT_BYTES: Final = 32 * 1024 * 1024
"""Of an answer in one JSON body."""
_ERROR_BODY_BYTES: Final = 64 * 1024
"""What is kept of the body of an HTTP error."""


class OpenAISession:
    """Ask once, tell it the response head, feed it the body; each question resets it.

    `on_text` is called with each piece of the answer (reasoning excluded) as it comes.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        extra_body: Mapping[str, object] | None = None,
        think_tags: bool = True,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._extra_body = extra_body
        self._think_tags = think_tags
        self._on_text = on_text
        self._reset(None)

    def _reset(self, expected: str | None) -> None:
        self._expected = expected
        self._splitter = SseSplitter()
        self._tags = ThinkTags(enabled=self._think_tags)
        self._failed_status: int | None = None
        self._content_type = "text/event-stream"
        self._in_one_body = False
        self._body = bytearray()
        self._texts: list[str] = []
        self._told = 0
        self._heard = False
        self._events = 0
        self._finished = False
        self._gave_up: str | None = None
        self._usage: Usage | None = None
        self._id: str | None = None
        self._over = False

    def ask(self, prompt: Prompt) -> tuple[HttpPost]:
        """Begin one question: the one request to send."""
        self._reset(prompt.expected)
        return (
            chat_request(prompt, model=self._model, max_tokens=self._max_tokens, extra_body=self._extra_body),
        )

    def head(self, status: int, content_type: str = "text/event-stream") -> list[Signal]:
        """The head of the response came; without this call it counts as a stream with status 200."""
        self._failed_status = None if kind_of_status(status) is None else status
        self._content_type = content_type.partition(";")[0].strip().lower()
        self._in_one_body = self._failed_status is None and self._content_type.endswith("json")
        return [] if self._failed_status else [Accepted(status)]

    def receive(self, data: bytes) -> list[Signal]:
        """Take what was read of the body."""
        if self._over:
            return []
        if self._failed_status is not None:
            self._body += data[: _ERROR_BODY_BYTES - len(self._body)]
            return []
        if self._in_one_body:
            self._body += data
            if len(self._body) > BODY_LIMIT_BYTES:
                return [self._fail(ErrorKind.PROTOCOL, f"an answer of over {BODY_LIMIT_BYTES} bytes")]
            return []
        signals: list[Signal] = []
        try:
            for event in self._splitter.feed(data):
                self._take(event, signals)
                if self._over:
                    break
        except RemoteProtocolError as error:
            signals.append(self._fail(ErrorKind.PROTOCOL, str(error)))
        return signals

    def eof(self) -> list[Signal]:
        """The body ended cleanly: the length announced was read, or the last chunk."""
        if self._over:
            return []
        if self._failed_status is not None:
            kind = kind_of_status(self._failed_status) or ErrorKind.HTTP_STATUS
            said = error_text(bytes(self._body)) if self._body.strip() else "no message"
            return [self._fail(kind, f"HTTP status {self._failed_status}: {said}")]
        signals: list[Signal] = []
        try:
            if self._in_one_body:
                self._take_whole(signals)
            else:
                for event in self._splitter.end():
                    self._take(event, signals)
                if not self._over:
                    signals.append(self._end())
        except RemoteProtocolError as error:
            signals.append(self._fail(ErrorKind.PROTOCOL, str(error)))
        return signals

    def _take(self, event: SseEvent, signals: list[Signal]) -> None:
        if self._over:
            return
        self._events += 1
        if event.data.startswith(b"[DONE]"):
            signals.append(self._end())
        elif event.event == b"error":
            signals.append(self._fail(ErrorKind.SERVER_ERROR, error_text(event.data)))
        elif event.data:
            self._take_chunk(read_chunk(event.data), signals)

    def _take_whole(self, signals: list[Signal]) -> None:
        chunk = read_chunk(bytes(self._body))
        choice = chunk.choice
        if chunk.fault is None and (choice is None or choice.message is None):
            raise RemoteProtocolError(f"no answer in the JSON body: {error_text(bytes(self._body))}")
        self._take_chunk(chunk, signals)
        if not self._over:
            self._finished = True  # a body that parses is whole, whether or not it says why it ended
            signals.append(self._end())

    def _take_chunk(self, chunk: Chunk, signals: list[Signal]) -> None:
        if self._id is None and isinstance(chunk.id, str) and chunk.id:
            self._id = one_line(chunk.id, 100)
        fault = chunk.fault
        if fault is not None:
            signals.append(self._fail(ErrorKind.SERVER_ERROR, fault))
            return
        choice = chunk.choice
        if choice is not None:
            message = choice.delta or choice.message
            if message is not None:
                self._take_message(message, signals)
            if choice.finish_reason:
                self._finished = True
                self._gave_up = choice.gave_up
        usage = chunk.counts
        if usage is not None:
            self._usage = usage
            signals.append(usage)

    def _take_message(self, message: Message, signals: list[Signal]) -> None:
        thoughts = message.thoughts
        if thoughts:
            self._grow(Piece(self._tags.settle_as_reasoning(), TextKind.REASONING, thoughts), signals)
        text = message.text
        if text:
            for piece in self._tags.feed(text):
                self._grow(piece, signals)
        call_chars = message.call_chars
        if call_chars:
            self._heard = True
            signals.append(Output(self._tags.answer, TextKind.ANSWER, call_chars))

    def _grow(self, piece: Piece, signals: list[Signal]) -> None:
        self._heard = True
        signals.append(Output(piece.candidate, piece.kind, len(piece.text)))
        if piece.kind is not TextKind.ANSWER:
            self._texts.clear()  # what had been taken for an answer was the beginning of the reasoning
            return
        self._texts.append(piece.text)
        if self._on_text is not None and not self._tags.undecided:
            self._tell(self._on_text)

    def _tell(self, on_text: Callable[[str], None]) -> None:
        on_text("".join(self._texts[self._told :]))
        self._told = len(self._texts)

    def _end(self) -> Ended:
        if self._on_text is not None and self._told < len(self._texts):
            self._tell(self._on_text)
        if not self._finished:
            if not self._events and self._content_type != "text/event-stream":
                what = one_line(self._content_type, 60) or "an answer without content type"
                return self._fail(ErrorKind.PROTOCOL, f"expected an event stream, got {what}")
            return self._fail(ErrorKind.TRUNCATED, "the stream ended without a finish_reason")
        if self._gave_up is not None:
            return self._fail(ErrorKind.SERVER_ERROR, self._gave_up)
        if not self._heard and not (self._usage and self._usage.output_tokens):
            return self._fail(ErrorKind.EMPTY, "neither text nor completion tokens")
        if self._expected is not None and _squeezed(self._expected) not in _squeezed(self._text):
            wanted = one_line(self._expected, 80)
            return self._fail(ErrorKind.WRONG_ANSWER, f"the answer does not contain {wanted!r}")
        return self._ended(Outcome.OK, None, None)

    def _fail(self, kind: ErrorKind, detail: str) -> Ended:
        return self._ended(Outcome.FAILED, kind, one_line(detail, 500))

    def _ended(self, outcome: Outcome, kind: ErrorKind | None, detail: str | None) -> Ended:
        self._over = True
        return Ended(
            outcome,
            kind,
            detail,
            answer=self._tags.answer,
            text=self._text,
            streamed=not self._in_one_body,
            upstream_id=self._id,
        )

    @property
    def _text(self) -> str:
        # Halves of surrogate pairs, sent in two deltas, become one character here; lone ones do not
        # survive, since no file could hold them.
        return "".join(self._texts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()
