"""The demo page of the testbed, of the kind that is published with vision models; `streamlit run` it.

It knows the API server by environment only: GLM_TESTBED_API_URL, GLM_TESTBED_MODEL, where a key is
needed GLM_TESTBED_API_KEY_ENV, the name of the variable that holds it, and GLM_TESTBED_ENGINE, the name
of a real engine, where one answers. Each question is sent alone, as it was typed, so that the model is
asked exactly what it is asked through the API.
"""

import base64
import json
import os
from collections.abc import Iterator

import httpx
import streamlit as st

HISTORY_TURNS = 4
THINK, THOUGHT = "<think>", "</think>"


@st.cache_resource
def api_client() -> httpx.Client:
    """One connection pool for all sessions of this server."""
    key = os.environ.get(os.environ.get("GLM_TESTBED_API_KEY_ENV", ""), "")
    return httpx.Client(
        base_url=os.environ["GLM_TESTBED_API_URL"],
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=httpx.Timeout(10, read=300),
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )


def answer(
    question: str, images: list[tuple[str, bytes]], temperature: float, max_tokens: int
) -> Iterator[str]:
    """The pieces of the model's answer as they come."""
    content: list[dict[str, object]] = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{media_type};base64,{base64.b64encode(data).decode()}"},
        }
        for media_type, data in images
    ]
    body = {
        "model": os.environ["GLM_TESTBED_MODEL"],
        "messages": [{"role": "user", "content": [*content, {"type": "text", "text": question}]}],
        "temperature": temperature,
        "max_tokens": max_tokens,
        "stream": True,
    }
    with api_client().stream("POST", "/v1/chat/completions", json=body) as response:
        if response.is_error:
            response.read()
            raise RuntimeError(error_message(response))
        finished = False
        for line in response.iter_lines():
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            if data:
                chunk = json.loads(data)
                if error := chunk.get("error"):
                    raise RuntimeError(error["message"] if isinstance(error, dict) else error)
                for choice in chunk["choices"]:
                    if text := choice["delta"].get("content"):
                        yield text
                    finished = finished or bool(choice.get("finish_reason"))
    if not finished:  # not every server sends [DONE]
        raise RuntimeError("the answer broke off")


def without_thoughts(pieces: Iterator[str]) -> Iterator[str]:
    """The text without a leading <think>...</think>, which some servers send as part of it."""
    head = ""
    for piece in pieces:
        head += piece
        if head.startswith(THINK):
            _, _, rest = head.partition(THOUGHT)
            if rest:
                yield rest
            if THOUGHT in head:
                break
        elif not THINK.startswith(head):
            yield head
            break
    else:
        if head and not head.startswith(THINK):
            yield head
    yield from pieces


def error_message(response: httpx.Response) -> str:
    """What the server says is wrong."""
    try:
        return f"{response.status_code}: {response.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}: {response.reason_phrase}"


def main() -> None:
    """One run of the page."""
    engine = os.environ.get("GLM_TESTBED_ENGINE")
    kind = "simulated model" if engine is None else f"tiny model, {engine}"
    st.set_page_config(page_title=f"GLM-4.6V-Flash demo ({kind})")
    st.title("GLM-4.6V-Flash demo")
    if engine is None:
        st.caption("The model behind this page is simulated: it does not look at the images.")
    else:
        st.caption(f"The model behind this page is tiny and always says the same; {engine} serves it.")
    with st.sidebar:
        temperature = st.slider("Temperature", 0.0, 1.0, 0.8, 0.05)
        max_tokens = st.slider("Max tokens", 64, 4096, 1024, 64)
    history = st.session_state.setdefault("history", [])
    for past_question, past_answer in history:
        with st.chat_message("user"):
            st.markdown(past_question)
        with st.chat_message("assistant"):
            st.markdown(past_answer)
    uploads = st.file_uploader("Images", type=["png", "jpg", "jpeg"], accept_multiple_files=True)
    question = st.text_area("Question")
    if not st.button("Submit", type="primary"):
        return
    if not question.strip():
        st.error("Please type a question.")
        return
    with st.chat_message("user"):
        st.markdown(question)
    images = [(upload.type, upload.getvalue()) for upload in uploads]
    with st.chat_message("assistant"):
        try:
            text = st.write_stream(without_thoughts(answer(question, images, temperature, max_tokens)))
        except (httpx.HTTPError, RuntimeError, ValueError, LookupError) as error:
            st.error(f"The model server failed: {error}")
            return
    st.session_state["history"] = [*history, (question, text)][-HISTORY_TURNS:]


if __name__ == "__main__":
    main()
