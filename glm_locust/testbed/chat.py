"""`POST /v1/chat/completions` of the simulated server, as a plain ASGI application.

It writes each token in one piece straight to the server's socket: a framework's streaming response
would add its own delays to what the truth log is to witness.
"""

import hmac
import re
import time
import uuid
from dataclasses import dataclass
from typing import Literal

from glm_locust.records import digest
from glm_locust.testbed.answers import compose
from glm_locust.testbed.engine import QueueFullError, Sequence
from glm_locust.testbed.engine_loop import EngineLoop, TokenStream
from glm_locust.testbed.exchange import ClientGoneError, Exchange, Message, Receive, Send
from glm_locust.testbed.faults import Fault, FaultKind, FaultSwitch
from glm_locust.testbed.truth import TruthLog
from glm_locust.testbed.wire import DONE, GARBAGE, AnswerFormat, ApiError, Question, check, decode_body
from glm_locust.workload import recognise

_REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_RETRY_AFTER_S = 1


class _BrokenOffError(Exception):
    """A fault broke the answer off."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer on its way out."""

    question: Question
    tokens: list[str]
    stream: TokenStream
    form: AnswerFormat
    head: list[tuple[bytes, bytes]]
    fault: Fault | None


class ChatCompletions:
    """The endpoint: checks a request, runs it through the engine, writes the answer and the truth."""

    def __init__(
        self,
        *,
        engine: EngineLoop,
        truth: TruthLog,
        faults: FaultSwitch,
        model: str,
        seed: int,
        api_key: str | None,
    ) -> None:
        self._engine = engine
        self._truth = truth
        self._faults = faults
        self._model = model
        self._seed = seed
        self._api_key = api_key

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        exchange = Exchange(scope, receive, send)
        outcome: Literal["finished", "aborted", "error"] = "error"
        try:
            await self._answer(exchange)
            outcome = "finished"
        except ApiError as error:
            await exchange.respond(error.status, error.body, error.headers)
        except ClientGoneError:
            outcome = "aborted"
        except _BrokenOffError:
            # To return with the response unfinished makes the HTTP server close the connection.
            return
        finally:
            exchange.unwatch()
            self._truth.write(exchange.truth("aborted" if exchange.gone else outcome))

    async def _answer(self, exchange: Exchange) -> None:
        body = await exchange.body()
        engine = self._engine.engine
        exchange.running_at_arrival, exchange.waiting_at_arrival = engine.running, engine.waiting
        self.authorise(exchange.headers.get("authorization"))
        chat = decode_body(body)
        text = chat.question()
        exchange.prompt_id = digest(text) if text is not None else None
        question = check(chat, model=self._model, max_model_tokens=engine.spec.max_model_tokens)
        exchange.prompt_tokens = question.image_tokens + question.text_tokens
        exchange.images = question.images
        fault = self._faults.take()
        exchange.watch()
        if fault is not None and fault.kind is FaultKind.SERVER_ERROR:
            raise ApiError(500, "A fault was asked for.", kind="InternalServerError")
        if fault is not None and fault.kind is FaultKind.DELAY:
            await exchange.pause(fault.seconds)
        answer = self._begin(exchange, question, fault)
        exchange.watch(answer.stream.notify)
        try:
            if question.stream:
                await self._write_stream(exchange, answer)
            else:
                await self._write_whole(exchange, answer)
        finally:
            self._engine.close(answer.stream)

    def authorise(self, authorization: str | None) -> None:
        """Raise ApiError 401 unless the header has the key, where one is set."""
        if self._api_key is None:
            return
        expected = f"Bearer {self._api_key}".encode()
        if authorization is None or not hmac.compare_digest(authorization.encode(), expected):
            missing = authorization is None
            message = "No API key was given." if missing else "The API key is wrong."
            raise ApiError(
                401, message, kind="AuthenticationError", headers=((b"www-authenticate", b"Bearer"),)
            )

    def _begin(self, exchange: Exchange, question: Question, fault: Fault | None) -> _Answer:
        task = recognise(question.text)
        profile = self._engine.engine.spec.profile(task)
        tokens = compose(question.text, task, profile, self._seed)
        reason = "stop"
        if question.max_tokens is not None and question.max_tokens < len(tokens):
            tokens = tokens[: question.max_tokens]
            reason = "length"
        sequence = Sequence(profile.prepare_s, question.image_tokens, question.text_tokens, len(tokens))
        try:
            stream = self._engine.open(sequence, reason)
        except QueueFullError as error:
            retry_after = str(_RETRY_AFTER_S).encode()
            raise ApiError(
                429, f"{error}.", kind="TooManyRequestsError", headers=((b"retry-after", retry_after),)
            ) from None
        given = exchange.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        exchange.upstream_id = f"chatcmpl-{request_id}"
        form = AnswerFormat(exchange.upstream_id, self._model, int(time.time()))
        return _Answer(question, tokens, stream, form, [(b"x-request-id", request_id.encode())], fault)

    async def _write_stream(self, exchange: Exchange, answer: _Answer) -> None:
        form, stream = answer.form, answer.stream
        head = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await exchange.start(200, head + answer.head)
        await exchange.write(form.role())
        for index, text in enumerate(answer.tokens):
            await self._break(exchange, answer.fault, index)
            while stream.available <= index:
                exchange.expect_client()
                await stream.news()
            exchange.expect_client()
            data = form.token(text)
            # Before the write: a client may read the bytes before this process runs on after it.
            at_ns = time.time_ns()
            await exchange.write(data)
            if index == 0:
                exchange.first_token_ns = at_ns
            exchange.output_tokens += 1
        await self._break(exchange, answer.fault, len(answer.tokens), at_end=True)
        await exchange.write(form.finish(stream.finish_reason))
        if answer.question.include_usage:
            await exchange.write(form.usage(stream.sequence.prompt_tokens, len(answer.tokens)))
        await exchange.write(DONE, more=False)

    async def _break(
        self, exchange: Exchange, fault: Fault | None, index: int, *, at_end: bool = False
    ) -> None:
        """Do what the fault wants before token `index`; a fault after the last token comes at the end."""
        due = fault is not None and (fault.after_tokens == index or (at_end and fault.after_tokens > index))
        if fault is None or not due:
            return
        if fault.kind is FaultKind.STALL:
            await exchange.pause(fault.seconds)
        elif fault.kind is FaultKind.CUT:
            raise _BrokenOffError
        elif fault.kind is FaultKind.GARBAGE:
            await exchange.write(GARBAGE, more=False)
            raise _BrokenOffError

    async def _write_whole(self, exchange: Exchange, answer: _Answer) -> None:
        stream, fault = answer.stream, answer.fault
        count = len(answer.tokens)
        while stream.available < count:
            exchange.expect_client()
            await stream.news()
        exchange.expect_client()
        data = answer.form.whole(
            "".join(answer.tokens), stream.finish_reason, stream.sequence.prompt_tokens, count
        )
        if fault is not None and fault.kind is FaultKind.STALL:
            await exchange.pause(fault.seconds)
        if fault is not None and fault.kind is FaultKind.CUT:
            await exchange.start(200, [(b"content-type", b"application/json"), *answer.head])
            await exchange.write(data[: len(data) // 2])
            raise _BrokenOffError
        if fault is not None and fault.kind is FaultKind.GARBAGE:
            await exchange.respond(200, GARBAGE)
            raise _BrokenOffError
        at_ns = time.time_ns()
        await exchange.respond(200, data, tuple(answer.head))
        exchange.first_token_ns = at_ns
        exchange.output_tokens = count
