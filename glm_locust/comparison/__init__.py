"""The Web-versus-API comparison as a Locust run.

A locustfile imports `ComparisonUser` and calls `install()` at its top.
"""

from glm_locust import plugin
from glm_locust.comparison.director import Comparison
from glm_locust.users.comparison import ComparisonUser

__all__ = ["Comparison", "ComparisonUser", "install"]


def install() -> None:
    """Have this Locust process take part in a comparison; calling it again changes nothing."""
    plugin.install(director=_COMPARISON)


_COMPARISON = Comparison()
