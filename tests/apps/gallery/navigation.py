"""Pages by `st.navigation`; the chat is not the first of them."""

import streamlit as st
from model import stream


def welcome() -> None:
    """The first page."""
    st.title("Welcome")
    st.text_input("Leave a note")


def assistant() -> None:
    """The page with the chat."""
    st.title("Assistant")
    if question := st.chat_input("Ask"):
        st.chat_message("user").write(question)
        with st.chat_message("assistant"):
            st.write_stream(stream(question))


pages = {
    "": [st.Page(welcome, title="Welcome", default=True)],
    "Tools": [st.Page(assistant, title="My assistant", url_path="assistant")],
}
st.navigation(pages).run()
