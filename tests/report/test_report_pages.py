"""report.html and summary.md: whole, well-formed, and safe against whatever a server says."""

import html.parser
import json
import re
from pathlib import Path

import pytest
from reporting import reported
from synthetic_run import TASKS, Recipe

from glm_locust.records import ErrorKind
from glm_locust.report.html import script_json
from glm_locust.report.markdown import escape

HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"'&{{7*7}}| `x` [a](http://e.vil) @all\n# h"
)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Checker(html.parser.HTMLParser):
    """Follows the open elements, and keeps what there is of each."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)


def checked(directory: Path) -> Checker:
    checker = Checker()
    checker.feed((directory / "report.html").read_text())
    checker.close()
    assert checker.open == []
    return checker


def hostile() -> Recipe:
    return Recipe(
        paths=("api", "web", HOSTILE),
        tasks=("ocr", HOSTILE),
        repeats=5,
        failures={("web", ErrorKind.SERVER_ERROR): 1},
        error_detail=HOSTILE,
        header={
            "run_id": HOSTILE,
            "command": ("glm-locust", HOSTILE),
            "targets": {"api": {"model": HOSTILE, "url": HOSTILE, "simulated": True, "preset": HOSTILE}},
            "versions": {HOSTILE: HOSTILE},
            "machine": {"cpu": {HOSTILE: [HOSTILE]}},
            "workload": {HOSTILE: HOSTILE},
        },
    )


def test_elements_nest_and_ids_are_unique(plain: Path) -> None:
    page = checked(plain)
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] or "" for tag, attributes in page.seen if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_the_page_loads_nothing(plain: Path) -> None:
    for tag, attributes in checked(plain).seen:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)


def test_every_row_has_as_many_cells_as_its_head(plain: Path) -> None:
    page = (plain / "report.html").read_text()
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        widths = set()
        for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL):
            if 'class="name"' in row:
                continue
            cells = re.findall(r"<t[hd]([^>]*)>", row)
            widths.add(sum(int((re.search(r'colspan="(\d+)"', cell) or [0, 1])[1]) for cell in cells))
        assert len(widths) == 1, table[:300]


def test_everything_can_be_read_without_javascript(plain: Path) -> None:
    text = " ".join(checked(plain).text)
    for words in (
        "Web versus API",
        "Image description",
        "95 % interval",
        "not supported",
        "What Web adds",
        "n/a",
    ):
        assert words in text
    figures = [attributes for tag, attributes in checked(plain).seen if tag == "figure"]
    assert figures
    assert all("hidden" in attributes for attributes in figures), "an empty frame is shown to nobody"


def test_the_order_a_person_reads(plain: Path) -> None:
    ids = [attributes["id"] for tag, attributes in checked(plain).seen if tag == "section"]
    assert ids == [
        "times",
        "overhead",
        "levels",
        "layers",
        "bytes",
        "answers",
        "failures",
        "resources",
        "claims",
        "use",
        "quality",
        "metrics",
        "run",
        "terms",
    ]


def test_a_simulated_model_is_said_so_before_any_figure(plain: Path) -> None:
    for name in ("report.html", "summary.md"):
        text = (plain / name).read_text()
        assert 0 < text.index("Simulated model") < text.index("Web shows its first token")
    assert "API †" in (plain / "report.html").read_text()


def test_a_real_model_is_not_called_simulated(tmp_path: Path) -> None:
    reported(tmp_path, Recipe(simulated=False, repeats=3))
    for name in ("report.html", "summary.md"):
        text = (tmp_path / name).read_text()
        assert "Simulated model" not in text
        assert "†" not in text


def test_the_articles_figures_stand_beside_ours(plain: Path) -> None:
    rows = re.findall(r"<tr.*?</tr>", (plain / "report.html").read_text(), re.DOTALL)
    for task, api, web in (("Complex reasoning", "1,630", "2,560"), ("Text in the image", "1,120", "1,790")):
        place = next(i for i, row in enumerate(rows) if task in row and "API" in row)
        assert api in rows[place]
        assert web in rows[place + 2], "the article's page was inside Jupyter"


def test_hostile_words_stay_words_in_html(tmp_path: Path) -> None:
    page = checked(reported(tmp_path, hostile()))
    scripts = [attributes for tag, attributes in page.seen if tag == "script"]
    assert len(scripts) == 3, "the charts' data, Plotly and ours"
    assert not [tag for tag, attributes in page.seen if tag == "img" or "onerror" in attributes]
    assert "<script>alert(1)</script>" in "".join(page.text), "shown as it was said"
    source = (tmp_path / "report.html").read_text()
    data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', source, re.DOTALL)
    assert data is not None
    names = {trace["name"] for chart in json.loads(data[1]).values() for trace in chart["data"]}
    assert HOSTILE in names
    assert "49" not in "".join(page.text[:30]), "{{7*7}} is no template"


def test_hostile_words_stay_words_in_markdown(tmp_path: Path) -> None:
    text = (reported(tmp_path, hostile()) / "summary.md").read_text()
    assert "<script" not in text.replace("\\<", "")
    assert "](http" not in text.replace("\\]", "")
    assert not re.search(r"(?<!\\)`", text)
    assert "@all" not in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_tables_of_the_markdown_are_even(plain: Path) -> None:
    text = (plain / "summary.md").read_text()
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 7
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


@pytest.mark.parametrize(
    ("said", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("two\nlines\r\nhere", "two lines here"),
        ("<b>", "\\<b\\>"),
        ("&lt;", "&amp;lt;"),
        ("**x** _y_", "\\*\\*x\\*\\* \\_y\\_"),
        ("1\u00a0ms", "1\u00a0ms"),
    ],
)
def test_markdown_escapes(said: str, escaped: str) -> None:
    assert escape(said) == escaped


def test_json_in_a_script_element_cannot_end_it() -> None:
    value = {"x": "</script><!-- & \u2028"}
    written = str(script_json(value))
    assert "<" not in written
    assert "\u2028" not in written
    assert json.loads(written) == value


def test_one_path_alone_has_no_empty_comparison(tmp_path: Path) -> None:
    text = (reported(tmp_path, Recipe(paths=("api",))) / "summary.md").read_text()
    assert "Needs at least two paths" in text
    assert text.count("Image description") >= 1
    assert len(TASKS) == 5
