"""The texts of the dashboard: the same in every language, and all that the page asks for is there."""

import re
from pathlib import Path

import pytest

import glm_locust.dashboard
from glm_locust.config.scenario import REPORT_LANGUAGES
from glm_locust.dashboard.pages import FILES, TABS
from glm_locust.dashboard.texts import texts

PACKAGE = Path(glm_locust.dashboard.__file__).parent
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def test_languages_have_the_same_keys_and_placeholders() -> None:
    first, *others = (texts(language) for language in REPORT_LANGUAGES)
    for other in others:
        assert other.keys() == first.keys()
        for key, text in first.items():
            assert set(PLACEHOLDER.findall(other[key])) == set(PLACEHOLDER.findall(text)), key


ASKED = re.compile(r'(?:words|t)\["([\w.]+)"\]|say\("([\w.]+)"')


@pytest.mark.parametrize(
    "name", ["static/dashboard.js", "templates/dashboard.html.j2", "templates/section.html.j2"]
)
def test_every_text_that_is_asked_for_is_there(name: str) -> None:
    source = (PACKAGE / name).read_text()
    asked = {first or second for first, second in ASKED.findall(source)}
    assert asked
    assert asked <= texts("en").keys()
    assert {f"file.{file}" for file in FILES} | {f"tab.{tab}" for tab in TABS} <= texts("en").keys()


def test_no_text_is_idle() -> None:
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*") if path.suffix in (".py", ".js", ".j2"))
    own = {key for key in texts("en") if not key.startswith(("path.", "task.", "kind."))}
    families = ("state.", "range.", "chart.", "note.", "quantity.", "file.", "tab.")
    idle = {key for key in own if f'"{key}"' not in sources and not key.startswith(families)}
    assert idle == set()


def test_the_page_makes_no_markup_of_texts() -> None:
    for name in ("dashboard.js", "tab.js"):
        source = (PACKAGE / "static" / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)
