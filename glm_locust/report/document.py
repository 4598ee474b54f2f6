"""The report as a document: sections of text, tables and charts, in one language and no format.

HTML and Markdown print the same sections. All text is plain: whatever a server or a page said may
be in it, and the printers escape.
"""

from dataclasses import dataclass
from typing import Any

Chart = dict[str, Any]
"""A Plotly figure without colours: a string `--name` where a colour stands is a variable of the style."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; `tone` is a word that the style knows (a verdict, a path), never from outside."""

    text: str
    tone: str = ""
    code: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column; columns that stand together under a common head have the same `group`."""

    title: str
    group: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `first` begins a group of rows, `total` sums the others up."""

    cells: tuple[Cell, ...]
    first: bool = False
    total: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column names its rows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    wide: bool = False
    """Too wide for a column of group names: these stand in rows of their own."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart and the sentence that says what it shows."""

    plot_id: str
    caption: str
    chart: Chart


@dataclass(frozen=True, slots=True)
class Section:
    """One section; `brief` ones are in the Markdown summary too."""

    section_id: str
    title: str
    lead: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    brief: bool = True
    folded: bool = False
    """Closed at first, where that can be."""


@dataclass(frozen=True, slots=True)
class Banner:
    """What must be known before any figure."""

    title: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One path's key figures."""

    path: str
    title: str
    value: str
    label: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report."""

    language: str
    title: str
    subtitle: str
    meta: tuple[str, ...]
    banners: tuple[Banner, ...]
    verdict: tuple[str, ...]
    tiles: tuple[Tile, ...]
    contents: str
    sections: tuple[Section, ...]
    footer: str

    @property
    def stop(self) -> str:
        """What ends a sentence in this language."""
        return "。" if self.language == "zh" else "."


def text(value: str, tone: str = "") -> Cell:
    """A cell of words."""
    return Cell(value, tone)


def names(*titles: str) -> tuple[Column, ...]:
    """Columns of words."""
    return tuple(Column(title) for title in titles)


def numbers(*titles: str, group: str = "") -> tuple[Column, ...]:
    """Columns of figures."""
    return tuple(Column(title, group, numeric=True) for title in titles)
