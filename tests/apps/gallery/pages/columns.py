"""Two models side by side, both streaming at once."""

import streamlit as st
from model import stream

st.title("Arena")
question = st.text_area("Your prompt", placeholder="Ask both")
if st.button("Compare", type="primary"):
    left, right = st.columns(2)
    left.subheader("Model A")
    right.subheader("Model B")
    boxes = left.empty(), right.empty()
    texts = ["", ""]
    answers = [stream(question), stream(f"{question} (B)")]
    while any(answers):
        for side, answer in enumerate(answers):
            piece = next(answer, None) if answer else None
            if piece is None:
                answers[side] = None
            else:
                texts[side] += piece
                boxes[side].markdown(texts[side])
