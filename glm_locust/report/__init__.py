"""One self-contained HTML page, Markdown and JSON from a finished run."""

from glm_locust.report.writing import Report, write_report

__all__ = ["Report", "write_report"]
