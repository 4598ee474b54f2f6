"""Load testing of multimodal LLM servers with Locust, by API and by Streamlit page."""

__version__ = "0.1.0"
