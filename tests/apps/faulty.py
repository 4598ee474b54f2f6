"""A chat that does wrong what a word in capitals in the prompt says."""

import streamlit as st
from tokens import tokens

st.session_state.setdefault("answers", [])
for answer in st.session_state.answers:
    with st.chat_message("assistant"):
        st.markdown(answer)
given = st.chat_input("Ask me anything", accept_file=True, file_type=["png"])
if given:
    prompt = given.text
    with st.chat_message("user"):
        st.markdown(prompt[:200])
    if "RAISE" in prompt:
        raise ValueError(f"boom {st.context.headers.get('Authorization')}\nin two lines")
    if "ERROR" in prompt:
        st.error("the model is not loaded")
        st.stop()
    if "SILENT" in prompt:
        st.stop()
    with st.chat_message("assistant"):
        text = st.write_stream(["x" * 2_000_000] if "HUGE" in prompt else tokens(prompt))
    st.session_state.answers.append(text)
