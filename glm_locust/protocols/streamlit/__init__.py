"""Streamlit's websocket protocol, versions 1.28 and later, without Streamlit installed."""

from glm_locust.protocols.streamlit.answer import AnswerQuery
from glm_locust.protocols.streamlit.inputs import Setting
from glm_locust.protocols.streamlit.session import StreamlitSession
from glm_locust.protocols.streamlit.widgets import PageError, WidgetQueries, WidgetQuery

__all__ = ["AnswerQuery", "PageError", "Setting", "StreamlitSession", "WidgetQueries", "WidgetQuery"]
