"""The request: one question as the body of `POST /v1/chat/completions`."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from glm_locust.protocols.session import HttpPost
from glm_locust.workload.prompt import Image, Prompt

CHAT_PATH: Final = "/chat/completions"
"""Below the API's base URL, which ends in `/v1`."""
MODELS_PATH: Final = "/models"

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "text/event-stream"}


def chat_request(
    prompt: Prompt,
    *,
    model: str | None = None,
    max_tokens: int | None = None,
    extra_body: Mapping[str, object] | None = None,
) -> HttpPost:
    """The question as one streamed request; fields of `extra_body` win over ours.

    A prompt that says itself how long its answer may be goes before `max_tokens`.
    """
    urls = [_data_url(image) for image in prompt.images]
    content: list[dict[str, Any]] | str = prompt.text
    if urls:
        content = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        content.append({"type": "text", "text": prompt.text})
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": content}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if model is not None:
        body["model"] = model
    if prompt.max_tokens is not None:
        max_tokens = prompt.max_tokens
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    body.update(extra_body or {})
    return HttpPost(
        CHAT_PATH, msgspec.json.encode(body), dict(_HEADERS), image_bytes=sum(len(url) for url in urls)
    )


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"
