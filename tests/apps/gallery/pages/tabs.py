"""Tools in tabs, each with a field and a button of its own."""

import streamlit as st
from model import stream

st.title("Toolbox")
ask, translate, about = st.tabs(["Ask", "Translate", "About"])
with ask:
    question = st.text_area("Your question")
    if st.button("Ask the model"):
        box, text = st.empty(), ""
        for piece in stream(question):
            text += piece
            box.markdown(text)
with translate:
    st.text_area("Text to translate")
    st.selectbox("Into", ["French", "German"])
    st.button("Translate")
with about:
    st.write("A toolbox of three tabs. " * 20)
