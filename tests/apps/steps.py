"""Counts its runs, and says what it saw of the text before its button was pressed."""

import streamlit as st
from tokens import tokens

state = st.session_state
state.runs = state.get("runs", 0) + 1
prompt = st.text_area("Prompt")
seen = state.get("seen")
if st.button("Send"):
    place, text = st.empty(), f"runs={state.runs} seen={seen == prompt} "
    for token in tokens(prompt):
        text += token
        place.markdown(text)
state.seen = prompt
