"""The shapes of the OpenAI-compatible API: requests checked, errors and stream events made."""

import base64
import binascii
import io
import warnings
from dataclasses import dataclass
from typing import Any

import msgspec
from PIL import Image, UnidentifiedImageError

from glm_locust.testbed.tokens import IMAGE_FRAME_TOKENS, TEMPLATE_TOKENS, image_tokens
from glm_locust.workload import estimated_tokens

MAX_IMAGES = 4
MAX_BODY_BYTES = 32 * 1024 * 1024


class ApiError(Exception):
    """A request that is answered with an error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "BadRequestError",
        param: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = error_body(status, message, kind, param)


def error_body(status: int, message: str, kind: str, param: str | None = None) -> bytes:
    """An error as vLLM words it: `{"error": {"message", "type", "param", "code"}}`."""
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": status}})


class _ImageUrl(msgspec.Struct):
    url: str


class _TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _ImageUrl


class _Message(msgspec.Struct):
    role: str
    content: str | list[_TextPart | _ImagePart] | None = None

    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if isinstance(part, _TextPart))

    def image_urls(self) -> list[str]:
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, _ImagePart)]


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class ChatBody(msgspec.Struct):
    """The fields of a chat request that the simulated server reads; others are ignored."""

    messages: list[_Message] = []
    model: str | None = None
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    n: int | None = None

    def question(self) -> str | None:
        """The text of the last user message."""
        return next((m.text() for m in reversed(self.messages) if m.role == "user"), None)


@dataclass(frozen=True, slots=True)
class Question:
    """What a chat request asks of the engine."""

    text: str
    images: int
    image_tokens: int
    text_tokens: int
    max_tokens: int | None
    stream: bool
    include_usage: bool


_decoder = msgspec.json.Decoder(ChatBody)


def decode_body(data: bytes) -> ChatBody:
    """Read a request body; raises ApiError 400 for what is not JSON, 422 for wrong types."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise ApiError(422, str(error), kind="UnprocessableEntityError") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(400, f"The request body is not valid JSON: {error}") from None


def check(body: ChatBody, *, model: str, max_model_tokens: int) -> Question:
    """Check a request's values; raises ApiError 404 or 400."""
    if body.model is not None and body.model != model:
        raise ApiError(404, f"The model `{body.model}` does not exist.", kind="NotFoundError", param="model")
    if not body.messages:
        raise ApiError(400, "messages: expected at least one message", param="messages")
    text = body.question()
    if text is None:
        raise ApiError(400, "messages: expected a message of role user", param="messages")
    if body.temperature is not None and not 0 <= body.temperature <= 2:
        raise ApiError(400, f"temperature: expected 0 to 2, got {body.temperature}", param="temperature")
    if body.n not in (None, 1):
        raise ApiError(400, "n: this server gives one answer a request", param="n")
    limit = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    if limit is not None and limit < 1:
        raise ApiError(400, f"max_tokens: expected at least 1, got {limit}", param="max_tokens")
    urls = [url for message in body.messages for url in message.image_urls()]
    if len(urls) > MAX_IMAGES:
        raise ApiError(
            400,
            f"At most {MAX_IMAGES} image(s) may be provided in one prompt, got {len(urls)}.",
            param="image",
        )
    pixels_tokens = sum(image_tokens(*_image_size(url)) for url in urls)
    words_tokens = TEMPLATE_TOKENS + IMAGE_FRAME_TOKENS * len(urls)
    words_tokens += sum(estimated_tokens(message.text()) for message in body.messages)
    total = pixels_tokens + words_tokens + (limit or 1)
    if total > max_model_tokens:
        raise ApiError(
            400,
            f"This model's maximum context length is {max_model_tokens} tokens, the request needs {total}.",
            param="input_tokens",
        )
    options = body.stream_options
    return Question(
        text=text,
        images=len(urls),
        image_tokens=pixels_tokens,
        text_tokens=words_tokens,
        max_tokens=limit,
        stream=body.stream,
        include_usage=options is not None and options.include_usage,
    )


def _image_size(url: str) -> tuple[int, int]:
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        raise ApiError(400, "image_url: expected a data: URL; this server fetches nothing", param="image_url")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ApiError(400, "image_url: expected data:image/...;base64", param="image_url")
    try:
        raw = base64.b64decode(data, validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(raw), formats=("PNG", "JPEG", "WEBP", "GIF", "BMP"))
            size = image.size
            image.verify()
    except (
        binascii.Error,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,  # what Pillow raises for a broken PNG chunk
        ValueError,
    ):
        raise ApiError(400, "Failed to load image: cannot identify image file", param="image_url") from None
    return size


class AnswerFormat:
    """The bytes of one answer: server-sent events, or one JSON body."""

    def __init__(self, upstream_id: str, model: str, created: int) -> None:
        self._common = {"id": upstream_id, "created": created, "model": model}
        head = msgspec.json.encode(self._common | {"object": "chat.completion.chunk"})[:-1]
        # Everything around a token's text is the same in every event, so it is built once.
        self._head = b"data: " + head
        self._before = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._after = b'},"logprobs":null,"finish_reason":null}]}\n\n'

    def role(self) -> bytes:
        """The first event: it has a role and an empty content, and it comes before any work is done."""
        return self._event([_choice({"role": "assistant", "content": ""}, None)])

    def token(self, text: str) -> bytes:
        """One token's text."""
        return self._before + msgspec.json.encode(text) + self._after

    def finish(self, reason: str) -> bytes:
        """The event with the finish reason; it has no text."""
        return self._event([_choice({}, reason)])

    def usage(self, prompt_tokens: int, output_tokens: int) -> bytes:
        """The token counts, in an event without choices."""
        return self._event([], usage=_usage(prompt_tokens, output_tokens))

    def whole(self, text: str, reason: str, prompt_tokens: int, output_tokens: int) -> bytes:
        """The answer as one JSON body."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "logprobs": None,
            "finish_reason": reason,
        }
        counts = _usage(prompt_tokens, output_tokens)
        return msgspec.json.encode(
            self._common | {"object": "chat.completion", "choices": [choice], "usage": counts}
        )

    def _event(self, choices: list[dict[str, Any]], **more: object) -> bytes:
        rest = msgspec.json.encode({"choices": choices, **more})
        return self._head + b"," + rest[1:] + b"\n\n"


DONE = b"data: [DONE]\n\n"
GARBAGE = b"data: {\x00\xff not json\n\nHTTP/1.1 \x01\n\n"


def _usage(prompt_tokens: int, output_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": prompt_tokens + output_tokens,
    }


def _choice(delta: dict[str, str], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
