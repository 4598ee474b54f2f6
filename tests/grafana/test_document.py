"""docs/GRAFANA.md says what the dashboards are."""

import re

from tests.grafana.shipped import DASHBOARDS, ROOT
from tests.grafana.test_dashboards import names_in, served
from tests.grafana.test_queries import NOT_IMPORTED
from tools.grafana import catalogue

DOCUMENT = (ROOT / "docs" / "GRAFANA.md").read_text(encoding="utf-8")


def test_the_table_is_that_of_the_code() -> None:
    found = re.search("<!-- dashboards -->\n(.*?)\n<!-- /dashboards -->", DOCUMENT, re.DOTALL)
    assert found is not None
    assert found[1] == catalogue(), "run: python -m tools.grafana --table"


def test_every_dashboard_is_introduced_by_its_title() -> None:
    introduced = re.findall(r"^\* \*\*([^*]+)\*\*:", DOCUMENT, re.MULTILINE)
    assert sorted(introduced) == sorted(dashboard["title"] for dashboard in DASHBOARDS.values())


def test_metrics_in_the_text_are_served() -> None:
    prose = re.sub(r"^```.*?^```", "", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
    quoted = [text for text in re.findall(r"`([^`]+)`", prose) if re.fullmatch(r"[a-z_]+", text)]
    asked = set().union(*(names_in(text) for text in quoted))
    assert len(asked) >= 3
    assert asked <= served()


def test_what_an_import_lacks_is_said() -> None:
    assert "*Not in imported runs.*" in DOCUMENT
    assert len(NOT_IMPORTED) == 7, "and named in docs/GRAFANA.md"
