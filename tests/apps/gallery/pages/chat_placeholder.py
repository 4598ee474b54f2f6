"""A chat that writes into a placeholder with a cursor at the end, as before `st.write_stream`."""

import streamlit as st
from model import stream

st.title("Echo chamber")
if "history" not in st.session_state:
    st.session_state.history = []
for role, text in st.session_state.history:
    with st.chat_message(role, avatar="🧑‍💻" if role == "user" else "🤖"):
        st.markdown(text)
prompt = st.chat_input("What is up?")
if prompt:
    with st.chat_message("user", avatar="🧑‍💻"):
        st.markdown(prompt)
    st.session_state.history.append(("user", prompt))
    with st.chat_message("assistant", avatar="🤖"):
        placeholder = st.empty()
        placeholder.markdown("_Thinking…_")
        full = ""
        for piece in stream(prompt):
            full += piece
            placeholder.markdown(full + "▌")
        placeholder.markdown(full)
    st.session_state.history.append(("assistant", full))
    st.toast("Answer complete")
