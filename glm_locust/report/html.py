"""report.html: one file that needs no network, and no JavaScript to be read."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from glm_locust.report.document import Column, Document, Table

_TEMPLATES = Path(__file__).parent / "templates"

_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""A script element ends at the first `</script`, whatever its JSON says; so nothing in it may look so."""


def html(document: Document) -> str:
    """The whole page; every text in it is escaped by the template engine."""
    charts = {plot.plot_id: plot.chart for section in document.sections for plot in section.plots}
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            document=document,
            style=_own("report.css"),
            script=_own("charts.js"),
            plotly=Markup(get_plotlyjs()) if charts else "",  # noqa: S704  # Plotly's own file
            charts=script_json(charts),
            groups=_groups,
            grouped=_grouped,
        )
    )


def script_json(value: Any) -> Markup:
    """JSON that may stand inside a script element."""
    return Markup(json.dumps(value, ensure_ascii=False).translate(_IN_SCRIPT))  # noqa: S704  # escaped above


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _own(name: str) -> Markup:
    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704  # our own file


def _groups(columns: tuple[Column, ...]) -> list[tuple[str, int]]:
    """(common head, how many columns) from left to right; empty where no column has one.

    The first column stands alone: narrow screens leave it out of grouped tables.
    """
    found: list[tuple[str, int]] = []
    for place, column in enumerate(columns):
        if place > 1 and found[-1][0] == column.group:
            found[-1] = (column.group, found[-1][1] + 1)
        else:
            found.append((column.group, 1))
    return found if any(name for name, _ in found) else []


def _grouped(table: Table) -> bool:
    """Whether the first cell of a row names the rows that follow too."""
    return any(not row.cells[0].text for row in table.rows)
