"""One text in, one summary out, in one piece and in a coloured box."""

import streamlit as st
from model import whole

st.title("🦜 Summarise a text")
result = []
with st.form("summarise", clear_on_submit=True):
    key = st.text_input("Provider key", type="password")
    text = st.text_area("Enter your text", "", height=200)
    submitted = st.form_submit_button("Submit")
    if submitted:
        with st.spinner("Calculating..."):
            result.append(whole(text))
if result:
    st.write("### Summary")
    st.info(result[0])
