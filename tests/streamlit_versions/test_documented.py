"""The examples of docs/STREAMLIT.md, each asked of the gallery's page that it names."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glm_locust.config import PAGE_CHOICES
from glm_locust.users.streamlit import StreamlitUser
from glm_locust.users.streamlit_client import StreamlitClient
from tests.setup.streamlit_envs import NEWEST
from tests.streamlit_versions.asking import Model, asked
from tests.streamlit_versions.conftest import Served
from tests.streamlit_versions.gallery import APPS

pytestmark = [pytest.mark.servers, pytest.mark.versions]

DOCUMENT = Path(__file__).parents[2] / "docs" / "STREAMLIT.md"
EXAMPLE = re.compile(r"<!-- gallery: (\w+)(?: \((\w)\))? -->\n```(toml|python)\n(.*?)```", re.DOTALL)
EXAMPLES = [match.groups() for match in EXAMPLE.finditer(DOCUMENT.read_text())]
BY_PAGE = {app.page: app for app in APPS}


def choices(language: str, code: str) -> dict[str, Any]:
    if language == "toml":
        table = tomllib.loads(code)["web"]
        return {name: value for name, value in table.items() if name != "url"}
    space: dict[str, Any] = {"StreamlitUser": StreamlitUser}
    exec(code, space)
    own = vars(space["Visitor"])
    return {name: own[name] for name in PAGE_CHOICES if name in own}


def test_there_are_examples_of_both_kinds() -> None:
    assert {language for _, _, language, _ in EXAMPLES} == {"toml", "python"}


@pytest.mark.parametrize("version", [NEWEST], indirect=True)
@pytest.mark.parametrize(
    ("page", "column", "language", "code"),
    EXAMPLES,
    ids=[f"{number}-{page}" for number, (page, *_) in enumerate(EXAMPLES)],
)
def test_an_example_works(
    served: Served, model: Model, page: str, column: str | None, language: str, code: str
) -> None:
    app = replace(BY_PAGE[page], choices=choices(language, code))
    if column == "A":
        app = replace(app, asked=lambda question: (question,))
    elif column == "B":
        app = replace(app, asked=lambda question: (f"{question} (B)",))
    client = StreamlitClient(served.direct.target(app))
    try:
        client.check(app.images)
        assert asked(app, client, model, "What do the documents say?").complaint() is None
        if page == "settings":
            captions = [node.content.body for node in client.session.page if node.kind == "markdown"]
            assert any("large" in caption and "1.5" in caption for caption in captions)
    finally:
        client.close()
