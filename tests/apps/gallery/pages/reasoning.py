"""Shows its reasoning in `st.status`, then answers."""

import streamlit as st
from model import stream

st.title("Deep thought")
if question := st.chat_input("Ask me something hard"):
    st.chat_message("user").write(question)
    with st.chat_message("assistant"):
        with st.status("Thinking...", expanded=True) as status:
            thoughts = st.empty()
            thought = ""
            for number in range(40):
                thought += f"Step {number}: this needs to be looked at from yet another side. "
                thoughts.markdown(thought)
            status.update(label="Thought about it", state="complete", expanded=False)
        place, text = st.empty(), ""
        for piece in stream(question):
            text += piece
            place.markdown(text + "▌")
        place.markdown(text)
