"""A form with every kind of setting; what they were is told below the answer."""

import datetime

import streamlit as st
from model import stream

mode = st.sidebar.radio("Mode", ["fast", "thorough"], horizontal=True)
if mode == "thorough":
    st.sidebar.select_slider("Depth", ["low", "middle", "high"], key="depth")
with st.form("generate"):
    question = st.text_area("Prompt", key="prompt")
    model = st.selectbox("Model", ["small", "medium", "large"])
    styles = st.multiselect("Styles", ["plain", "funny", "formal"], ["plain"])
    temperature = st.slider("Temperature", 0.0, 2.0, 0.7)
    tokens = st.number_input("Max tokens", 1, 4096, 512)
    sources = st.checkbox("Cite sources")
    name = st.text_input("Your name", "anonymous")
    day = st.date_input("Day", datetime.date(2026, 1, 1))
    sent = st.form_submit_button("Generate")
if sent:
    box, text = st.empty(), ""
    for piece in stream(question):
        text += piece
        box.markdown(text)
    depth = st.session_state.get("depth")
    st.caption(f"{mode} {depth} {model} {styles} {temperature} {tokens} {sources} {name} {day}")
