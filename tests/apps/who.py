"""Tells its visitor who the server takes them for."""

import streamlit as st

if st.chat_input("Who am I?"):
    headers, cookies = st.context.headers, st.context.cookies
    told = {
        "header": headers.get("X-Forwarded-User"),
        "trusted": st.user.get("mail"),
        "cookie": cookies.get("affinity"),
        "login": st.user.get("email"),
        "logged_in": st.user.get("is_logged_in"),
        "origin": headers.get("Origin"),
        "url": st.context.url,
    }
    st.chat_message("assistant").write("; ".join(f"{name}={value}" for name, value in told.items()))
