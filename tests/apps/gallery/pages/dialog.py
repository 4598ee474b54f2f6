"""The question is asked in a dialog, which a button opens."""

import streamlit as st
from model import stream


@st.dialog("Ask the model")
def ask() -> None:
    """The dialog."""
    question = st.text_input("Question")
    if st.button("Send"):
        st.write_stream(stream(question))


st.title("A page with a dialog")
if st.button("Open"):
    ask()
