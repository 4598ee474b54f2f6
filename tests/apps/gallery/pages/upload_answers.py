"""Describes an image as soon as it is uploaded; there is nothing to type and nothing to press."""

import streamlit as st
from model import stream

st.header("🖼️ What is in this picture?")
upload = st.file_uploader("Choose an image", type=["jpg", "jpeg", "png"])
if upload is not None:
    st.image(upload, caption="Your picture")
    st.subheader("Description")
    place, text = st.empty(), ""
    with st.spinner("Looking at it"):
        for piece in stream(f"Describe {upload.name}", [(upload.type, upload.getvalue())]):
            text += piece
            place.write(text + "▌")
    place.write(text)
