"""summary.md: the brief sections, fit for the summary of a CI job."""

import re

from glm_locust.report.document import Cell, Document, Section, Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~!$])")


def markdown(document: Document) -> str:
    """The whole page; whatever came from outside is escaped."""
    parts = [
        f"# {escape(document.title)}",
        escape(document.subtitle),
        *(
            f"> **{escape(banner.title)}{document.stop}** {escape(banner.text)}"
            for banner in document.banners
        ),
        " ".join(f"**{escape(sentence)}**" for sentence in document.verdict),
    ]
    for section in document.sections:
        if section.brief:
            parts += _section(section)
    parts.append(" · ".join(escape(line) for line in document.meta))
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> list[str]:
    return [
        f"## {escape(section.title)}",
        " ".join(escape(line) for line in section.lead),
        *(_table(table) for table in section.tables),
        *(escape(note) for note in section.notes),
    ]


def _table(table: Table) -> str:
    heads = [
        f"{escape(column.group)} {escape(column.title)}".strip() if column.group else escape(column.title)
        for column in table.columns
    ]
    lines = [
        _line(heads),
        _line(["---:" if column.numeric else "---" for column in table.columns]),
        *(_line([_cell(cell) for cell in row.cells]) for row in table.rows),
    ]
    caption = [f"**{escape(table.caption)}**", ""] if table.caption else []
    return "\n".join((*caption, *lines))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    words = escape(cell.text)
    return f"**{words}**" if cell.tone == "strong" and words else words


def escape(words: str) -> str:
    """Plain text on one line of Markdown, whatever it holds."""
    flat = " ".join(words.split()) if any(c in words for c in "\r\n\t\v\f\u2028\u2029\x85") else words
    # A name of a user after @ would notify them where CI summaries are rendered.
    return _SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;")).replace("@", "@\u200b")
