"""Counts the seconds beside the answer while it grows."""

import time

import streamlit as st
from model import stream

st.title("How fast is it?")
question = st.text_input("Prompt")
if st.button("Go"):
    begun = time.time()
    clock, speed, place = st.empty(), st.empty(), st.empty()
    text, count = "", 0
    for _ in range(5):
        clock.markdown(f"⏱️ {time.time() - begun:.1f} s")
        time.sleep(0.05)
    for count, piece in enumerate(stream(question), 1):
        text += piece
        clock.markdown(f"⏱️ {time.time() - begun:.1f} s")
        speed.markdown(f"Tokens so far: {count}")
        place.markdown(text)
