"""Events of a chat completion in words."""

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.explain import Explained, shortened
from glm_locust.protocols.openai.wire import read_chunk


def explain_event(data: bytes) -> Explained:
    """What the data of one server-sent event says."""
    if data.startswith(b"[DONE]"):
        return Explained("[DONE]")
    try:
        chunk = read_chunk(data)
    except RemoteProtocolError as error:
        return Explained("unreadable", shortened(str(error)))
    if chunk.fault is not None:
        return Explained("error", shortened(chunk.fault))
    choice, usage = chunk.choice, chunk.counts
    message = choice and (choice.delta or choice.message)
    if message and message.thoughts:
        return Explained("reasoning", shortened(repr(message.thoughts)))
    if message and message.text:
        return Explained("content", shortened(repr(message.text)))
    if choice and choice.finish_reason:
        return Explained("finish_reason", shortened(str(choice.finish_reason)))
    if usage is not None:
        return Explained("usage", f"{usage.prompt_tokens} in, {usage.output_tokens} out")
    return Explained("chunk without text")
