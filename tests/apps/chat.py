"""A chat with history; `RAISE`, `ERROR`, `SILENT` and `SLOW` in a prompt do what they say."""

import streamlit as st
from tokens import tokens

st.title("Chat")
st.session_state.setdefault("messages", [{"role": "assistant", "content": "Hello! How can I help?"}])
for message in st.session_state.messages:
    with st.chat_message(message["role"]):
        st.markdown(message["content"])
if prompt := st.chat_input("Ask me anything"):
    st.session_state.messages.append({"role": "user", "content": prompt})
    with st.chat_message("user"):
        st.markdown(prompt)
    if "RAISE" in prompt:
        raise ValueError("boom from the app")
    if "ERROR" in prompt:
        st.error("the model is not loaded")
        st.stop()
    if "SILENT" in prompt:
        st.stop()
    with st.chat_message("assistant"):
        with st.spinner("Thinking..."):
            stream = tokens(prompt)
            first = next(stream)

        def whole():
            yield first
            yield from stream

        answer = st.write_stream(whole())
    st.session_state.messages.append({"role": "assistant", "content": answer})
