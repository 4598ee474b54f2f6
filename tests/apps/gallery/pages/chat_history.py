"""A chat with history, a key field and settings in the sidebar, and `st.write_stream`."""

import streamlit as st
from model import stream

with st.sidebar:
    st.text_input("API key", type="password", key="api_key")
    st.selectbox("Model", ["small", "large"])
    st.slider("Temperature", 0.0, 2.0, 0.7)
    if st.button("Clear chat"):
        st.session_state.pop("messages", None)
st.title("💬 Chatbot")
st.caption("A chatbot in forty lines")
if "messages" not in st.session_state:
    st.session_state["messages"] = [{"role": "assistant", "content": "How can I help you?"}]
for message in st.session_state.messages:
    st.chat_message(message["role"]).write(message["content"])
if prompt := st.chat_input():
    st.session_state.messages.append({"role": "user", "content": prompt})
    st.chat_message("user").write(prompt)
    with st.chat_message("assistant"), st.spinner("Thinking..."):
        answer = st.write_stream(stream(prompt))
    st.session_state.messages.append({"role": "assistant", "content": answer})
