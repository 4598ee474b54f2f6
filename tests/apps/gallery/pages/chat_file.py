"""A chat whose input takes the images, too."""

import streamlit as st
from model import stream

if prompt := st.chat_input("Say something", accept_file="multiple", file_type=["jpg", "jpeg", "png"]):
    with st.chat_message("user"):
        st.markdown(prompt.text)
        for file in prompt["files"]:
            st.image(file)
    images = [(file.type, file.getvalue()) for file in prompt["files"]]
    st.chat_message("assistant").write_stream(stream(prompt.text, images))
