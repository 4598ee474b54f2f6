"""Puts its answer where others put their sources: into an expander."""

import streamlit as st
from model import stream

question = st.text_input("Question")
if st.button("Ask"):
    with st.expander("Result", expanded=True):
        place, text = st.empty(), ""
        for piece in stream(question):
            text += piece
            place.markdown(f"Model says: {text}")
