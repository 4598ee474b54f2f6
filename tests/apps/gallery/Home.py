"""The gallery's first page: small apps in the style that people publish, one a page."""

import streamlit as st

st.title("Gallery")
st.write("Choose an app on the left.")
