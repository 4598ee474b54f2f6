"""Shows its answer in a text area, from which it is easily copied."""

import streamlit as st
from model import whole

source = st.text_area("Source", height=100)
if st.button("Translate"):
    with st.spinner("Translating"):
        translation = whole(source)
    st.text_area("Translation", translation, height=100)
