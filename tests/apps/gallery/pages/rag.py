"""Answers from documents: sources in an expander, a duration below, the answer streamed."""

import time

import streamlit as st
from model import stream

PASSAGES = [f"Passage {number}. " + "Lorem ipsum dolor sit amet. " * 30 for number in range(4)]

st.title("Ask your documents")
with st.sidebar:
    st.file_uploader("Add documents", type=["pdf", "txt"], accept_multiple_files=True)
    st.number_input("Passages", 1, 10, 4)
question = st.text_input("Ask a question about your documents")
if question:
    begun = time.time()
    with st.spinner("Searching..."):
        st.session_state["found"] = PASSAGES
    with st.expander("Sources", expanded=True):
        for passage in PASSAGES:
            st.write(passage)
    st.markdown("**Answer:**")
    box, text = st.empty(), ""
    for piece in stream(question):
        text += piece
        box.markdown(text)
    st.write(f"Response time: {time.time() - begun:.2f} s")
