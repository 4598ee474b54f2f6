"""A page that asks for nothing."""

import streamlit as st

st.markdown("Only to read")
st.button("Reload")
