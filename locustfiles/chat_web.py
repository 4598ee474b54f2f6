"""Users in front of a Streamlit page with an image upload and a prompt.

    locust -f locustfiles/chat_web.py --host http://127.0.0.1:8501 --headless -u 10 -t 60s

Behind a Jupyter proxy: `--host http://host:8888/proxy/8501/` and the attribute `jupyter_token_env`.
Each user speaks the page's own websocket protocol; no browser is needed.
"""

from locust import between

from glm_locust import plugin
from glm_locust.users.streamlit import StreamlitUser

plugin.install()


class Visitor(StreamlitUser):
    """Asks about all five kinds of pictures at random."""

    wait_time = between(1, 5)
