"""What servers send: chunks, whole answers, errors and model lists, read leniently.

Only the fields we look at are decoded; of these, only what has the expected type is believed.
"""

import json
from typing import Any

import msgspec

from glm_locust.errors import RemoteProtocolError, one_line
from glm_locust.records import Usage


class Message(msgspec.Struct):
    """A delta of a chunk, or the message of a whole answer."""

    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None

    @property
    def thoughts(self) -> str:
        """vLLM says `reasoning`, others `reasoning_content`, some both with the same text."""
        return _plain(self.reasoning) or _plain(self.reasoning_content)

    @property
    def text(self) -> str:
        """Text for the reader."""
        return _plain(self.content) or _plain(self.refusal)

    @property
    def call_chars(self) -> int:
        """Characters of names and arguments of tool calls."""
        if not self.tool_calls and not self.function_call:
            return 0
        calls = self.tool_calls if isinstance(self.tool_calls, list) else []
        functions = [call.get("function") for call in calls if isinstance(call, dict)]
        return sum(
            len(_plain(function.get("name"))) + len(_plain(function.get("arguments")))
            for function in (*functions, self.function_call)
            if isinstance(function, dict)
        )


class Choice(msgspec.Struct):
    """One of the answers asked for."""

    index: Any = 0
    delta: Message | None = None
    message: Message | None = None
    finish_reason: Any = None

    @property
    def gave_up(self) -> str | None:
        """What is said by a finish reason with which a server admits that it failed, else None."""
        match self.finish_reason:
            case "error" | "abort":
                return f"finish_reason {self.finish_reason}"
            case {"type": "error" | "abort"}:
                return f"finish_reason {error_text(self.finish_reason)}"
        return None


class Chunk(msgspec.Struct):
    """One event of a stream, or a whole answer."""

    id: Any = None
    object: Any = None
    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    message: Any = None

    @property
    def choice(self) -> Choice | None:
        """The first answer; others (`n` > 1) are not the one we measure."""
        for choice in self.choices or ():
            if not choice.index:
                return choice
        return None

    @property
    def counts(self) -> Usage | None:
        """The server's token counts, where it sent any."""
        if not isinstance(self.usage, dict):
            return None
        return Usage(_count(self.usage.get("prompt_tokens")), _count(self.usage.get("completion_tokens")))

    @property
    def fault(self) -> str | None:
        """What the server says went wrong, None where nothing did."""
        if self.error:
            return error_text(self.error)
        return error_text(self.message) if self.object == "error" else None


_decoder: msgspec.json.Decoder[Chunk] = msgspec.json.Decoder(Chunk)


def read_chunk(data: bytes) -> Chunk:
    """Decode one chunk or whole answer; raises RemoteProtocolError."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # Python servers also send NaN, and halves of surrogate pairs
    try:
        return msgspec.convert(json.loads(data), Chunk)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        # transformers 5.23 puts messages into the JSON of an error without escaping them.
        if data.lstrip().startswith(b'{"error"'):
            return Chunk(error=data.decode("utf-8", "replace"))
        said = one_line(data[:200].decode("utf-8", "replace"), 100) or "nothing"
        problem = "not JSON" if isinstance(error, json.JSONDecodeError) else "not a chat completion"
        raise RemoteProtocolError(f"{problem}: {said}") from None


def error_text(body: object) -> str:
    """The message in an error body of OpenAI's or FastAPI's shape, or of any other, as one line."""
    if not isinstance(body, bytes):
        return _message(body)
    try:
        return _message(json.loads(body))
    except (ValueError, RecursionError):
        return one_line(body.decode("utf-8", "replace"))


def _message(said: Any) -> str:
    while isinstance(said, dict):
        inner = next((said[key] for key in ("error", "detail", "message") if said.get(key)), None)
        if inner is None:
            break
        said = inner
    match said:
        case [{"msg": str(problem), **more}, *_]:
            place = more.get("loc")
            where = ".".join(str(part) for part in place) + ": " if isinstance(place, list) else ""
            return one_line(where + problem)
        case str():
            return one_line(said)
    return one_line(json.dumps(said, ensure_ascii=False))


def model_names(body: bytes) -> list[str] | None:
    """The ids that `/v1/models` lists; None where this is not such a list."""
    try:
        listing = json.loads(body)
    except (ValueError, RecursionError):
        return None
    match listing:
        case {"data": list(models)}:
            return [m["id"] for m in models if isinstance(m, dict) and isinstance(m.get("id"), str)]
    return None


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_plain(part.get("text")) for part in value if isinstance(part, dict))
    return ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
