"""Several images and a prompt in a form that clears itself; the history stands above it."""

import streamlit as st
from model import stream

st.session_state.setdefault("asked", [])
for question, answer in st.session_state.asked:
    st.chat_message("user").markdown(question)
    st.chat_message("assistant").markdown(answer)
with st.form("vision", clear_on_submit=True):
    uploads = st.file_uploader("Images", type=["png", "jpg"], accept_multiple_files=True)
    question = st.text_area("Question")
    sent = st.form_submit_button("Send")
if sent:
    images = [(upload.type, upload.getvalue()) for upload in uploads]
    with st.chat_message("user"):
        for upload in uploads:
            st.image(upload.getvalue(), width=100)
        st.markdown(question)
    with st.chat_message("assistant"):
        place, text = st.empty(), ""
        for piece in stream(question, images):
            text += piece
            place.markdown(text + "▌")
        place.markdown(text)
    st.session_state.asked.append((question, text))
