"""Stores the answer and ends with `st.rerun()`, which shows it again as history."""

import streamlit as st
from model import stream

st.session_state.setdefault("turns", [])
for turn in st.session_state.turns:
    st.chat_message("user").write(turn["question"])
    st.chat_message("assistant").write(turn["answer"])
if question := st.chat_input("Message"):
    with st.chat_message("user"):
        st.write(question)
    with st.chat_message("assistant"):
        place, text = st.empty(), ""
        for piece in stream(question):
            text += piece
            place.markdown(text + " ●")
    st.session_state.turns.append({"question": question, "answer": text})
    st.rerun()
