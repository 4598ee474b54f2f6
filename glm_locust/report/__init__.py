"""One self-contained HTML page, Markdown and JSON from a finished run."""

from glm_locust.report.writing import ReportPaths, write_report

__all__ = ["ReportPaths", "write_report"]
