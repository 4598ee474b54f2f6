"""A chat inside a fragment: the rest of the page is not run again."""

import streamlit as st
from model import stream

st.title("A page around a chat")
st.write("This part runs once. " * 30)


@st.fragment
def chat() -> None:
    """The chat."""
    messages = st.session_state.setdefault("fragment_messages", [])
    for role, text in messages:
        st.chat_message(role).markdown(text)
    question = st.chat_input("Ask here")
    if question:
        st.chat_message("user").markdown(question)
        answer = st.chat_message("assistant").write_stream(stream(question))
        messages += [("user", question), ("assistant", answer)]


with st.container():
    chat()
