"""A chat beside a figure that refreshes itself."""

import streamlit as st
from model import stream


@st.fragment(run_every=0.3)
def figure() -> None:
    """How often it has been looked at."""
    st.session_state.seen = st.session_state.get("seen", 0) + 1
    st.write(f"Seen {st.session_state.seen} times")


figure()
if question := st.chat_input("Ask"):
    st.chat_message("assistant").write_stream(stream(question))
