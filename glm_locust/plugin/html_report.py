"""Our part of Locust's own HTML report, both the page in its web UI and the file of `--html`."""

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from glm_locust.errors import one_line

_log = logging.getLogger("glm_locust")
_FUNCTION = "get_html_report"
_CALLERS = ("locust.main", "locust.web")
"""Modules that import the function by name: Locust has no other place to extend its report."""


def extend(section: Callable[[Environment], str]) -> None:
    """Have Locust's reports end with what `section` says of their environment; calling it again is harmless.

    Where Locust is made otherwise one day, its report stays as it is.
    """
    for name in _CALLERS:
        module = sys.modules.get(name)
        original = getattr(module, _FUNCTION, None)
        if callable(original) and not hasattr(original, "glm_section"):
            setattr(module, _FUNCTION, _extended(original, section))


def _extended(original: Callable[..., str], section: Callable[[Environment], str]) -> Callable[..., str]:
    @functools.wraps(original)
    def report(environment: Environment, *args: Any, **kwargs: Any) -> str:
        page = original(environment, *args, **kwargs)
        try:
            before, end, after = page.rpartition("</body>")
            return before + section(environment) + end + after if end else page
        except Exception as error:  # noqa: BLE001 - Locust's report is worth more than our part of it
            _log.warning("glm_locust: no LLM section in Locust's report: %s", one_line(str(error)))
            return page

    report.glm_section = True  # type: ignore[attr-defined]
    return report
