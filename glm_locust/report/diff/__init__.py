"""Two runs compared: every change with its interval, as one page, Markdown and JSON."""

from glm_locust.report.diff.writing import DiffReport, write_diff

__all__ = ["DiffReport", "write_diff"]
