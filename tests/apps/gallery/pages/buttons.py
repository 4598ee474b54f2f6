"""Several buttons: only one of them asks."""

import streamlit as st
from model import stream

st.title("Prompt playground")
first, second = st.columns(2)
first.button("Load example")
second.button("Reset")
prompt = st.text_area("Prompt", "Write your prompt here")
clear, save, run = st.columns(3)
clear.button("Clear")
save.button("Save")
if run.button("Run"):
    output, text = st.empty(), ""
    for piece in stream(prompt):
        text += piece
        output.code(text, language=None)
st.download_button("Download", "nothing yet")
st.markdown("---")
st.markdown("Made with ❤️")
