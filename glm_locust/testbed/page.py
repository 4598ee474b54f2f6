"""The demo page of the testbed, of the kind that is published with vision models; `streamlit run` it.

It knows the API server by environment only: GLM_TESTBED_API_URL, GLM_TESTBED_MODEL and, where a key
is needed, GLM_TESTBED_API_KEY_ENV, the name of the variable that holds it. Each question is sent
alone, as it was typed, so that the model is asked exactly what it is asked through the API.
"""

import base64
import json
import os
from collections.abc import Iterator

import httpx
import streamlit as st

HISTORY_TURNS = 4


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
        for line in response.iter_lines():
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                return
            if data:
                for choice in json.loads(data)["choices"]:
                    if text := choice["delta"].get("content"):
                        yield text
    raise RuntimeError("the answer broke off")


def error_message(response: httpx.Response) -> str:
    """What the server says is wrong."""
    try:
        return f"{response.status_code}: {response.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code}: {response.reason_phrase}"


def main() -> None:
    """One run of the page."""
    st.set_page_config(page_title="GLM-4.6V-Flash demo (simulated model)")
    st.title("GLM-4.6V-Flash demo")
    st.caption("The model behind this page is simulated: it does not look at the images.")
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
            text = st.write_stream(answer(question, images, temperature, max_tokens))
        except (httpx.HTTPError, RuntimeError, ValueError, LookupError) as error:
            st.error(f"The model server failed: {error}")
            return
    st.session_state["history"] = [*history, (question, text)][-HISTORY_TURNS:]


if __name__ == "__main__":
    main()
