"""How the gallery's apps ask their model: any OpenAI-compatible server, streamed; only httpx is needed."""

import base64
import json
import os
from collections.abc import Iterator

import httpx


def stream(question: str, images: list[tuple[str, bytes]] | None = None) -> Iterator[str]:
    """The pieces of the answer as they come."""
    content: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}}
        for kind, data in images or []
    ]
    content.append({"type": "text", "text": question})
    body = {"model": os.environ["MODEL"], "messages": [{"role": "user", "content": content}], "stream": True}
    url = os.environ["MODEL_URL"] + "/v1/chat/completions"
    with httpx.Client(trust_env=False) as client, client.stream("POST", url, json=body, timeout=60) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            data = line.removeprefix("data:").strip()
            if not data or data == "[DONE]":
                continue
            for choice in json.loads(data)["choices"]:
                if text := choice["delta"].get("content"):
                    yield text


def whole(question: str, images: list[tuple[str, bytes]] | None = None) -> str:
    """The answer in one piece."""
    return "".join(stream(question, images))
