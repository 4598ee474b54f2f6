"""Images, a prompt and a button in a form, with settings in the sidebar and the history above."""

import streamlit as st
from tokens import tokens

st.sidebar.text_input("API key", type="password")
st.sidebar.slider("Temperature", 0.0, 2.0, 0.7)
st.session_state.setdefault("history", [])
for question, answer in st.session_state.history:
    st.chat_message("user").markdown(question)
    st.chat_message("assistant").markdown(answer)
with st.form("question", clear_on_submit=True):
    uploads = st.file_uploader("Images", type=["png", "jpg"], accept_multiple_files=True)
    prompt = st.text_area("Your question", key="prompt-key")
    sent = st.form_submit_button("Send")
st.button("Clear history")
if sent:
    sizes = "+".join(str(len(upload.getvalue())) for upload in uploads)
    st.chat_message("user").markdown(prompt)
    with st.chat_message("assistant"):
        place = st.empty()
        place.markdown("Thinking…")
        text = f"sizes={sizes or 'none'} "
        for token in tokens(prompt):
            text += token
            place.markdown(text + "▌")
        place.markdown(text)
    st.session_state.history.append((prompt, text))
