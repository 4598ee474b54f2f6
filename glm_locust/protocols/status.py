"""What an HTTP status says about a question."""

from glm_locust.records import ErrorKind

_REJECTED = frozenset({429, 503})


def kind_of_status(status: int) -> ErrorKind | None:
    """The error kind of an answer with this status, None for 2xx."""
    if 200 <= status < 300:
        return None
    return ErrorKind.REJECTED if status in _REJECTED else ErrorKind.HTTP_STATUS
