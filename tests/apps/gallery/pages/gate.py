"""Wants a key before it shows anything to type into."""

import streamlit as st
from model import stream

key = st.text_input("Access key", type="password")
if key != "open sesame":
    st.info("Please add your access key to continue.", icon="🗝️")
    st.stop()
options = st.pills("Tone", ["short", "long"]) if hasattr(st, "pills") else None
if question := st.chat_input("Ask"):
    with st.chat_message("assistant"):
        place, text = st.empty(), f"({options}) "
        for piece in stream(question):
            text += piece
            place.markdown(text)
