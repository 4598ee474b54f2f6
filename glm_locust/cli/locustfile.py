"""What `glm-locust compare` has Locust run; `locustfiles/web_vs_api.py` is the same to copy from."""

from glm_locust.comparison import ComparisonUser, install

__all__ = ["ComparisonUser"]

install()
