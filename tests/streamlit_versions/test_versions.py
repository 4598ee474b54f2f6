"""One list of apps, five versions of Streamlit, four ways to reach it."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from glm_locust.config import page_choices
from glm_locust.protocols.streamlit.schema import decode
from glm_locust.testbed.presets import MODEL
from glm_locust.users.streamlit_client import StreamlitClient
from tests.setup.streamlit_envs import WANTED, Environment
from tests.streamlit_versions.asking import Answered, Asker, Model, Way, ask, asked
from tests.streamlit_versions.conftest import Served
from tests.streamlit_versions.gallery import APPS, KEY_ENV, NAVIGATION, App, gallery_server
from tests.users.relay import relay_to

pytestmark = [pytest.mark.servers, pytest.mark.versions, pytest.mark.timeout(600)]

WAYS = ("direct", "base path", "Jupyter, token", "Jupyter, cookie")
NUMBERS = {version: tuple(map(int, version.split("."))) for version in WANTED}
CELLS = [
    pytest.param(version, way, app, id=f"{version}-{way}-{app}")
    for version in WANTED
    for way in WAYS
    for app in APPS
    if app.since <= NUMBERS[version]
]
BY_PAGE = {app.page: app for app in APPS}


def nonce() -> str:
    return uuid.uuid4().hex[:8]


def only(answers: list[Answered]) -> Answered:
    (answer,) = answers
    assert answer.complaint() is None
    return answer


@pytest.mark.parametrize(("version", "way", "app"), CELLS, indirect=["version"])
def test_the_app_is_answered(
    served: Served, model: Model, results: dict[tuple[str, str], Asker], way: str, app: App
) -> None:
    cell = served.env.version, way
    if cell not in results:
        apps = [app for app in APPS if app.since <= served.env.number]
        if way != "direct":
            apps = [replace(app, turns=1) for app in apps]
        with served.open(way) as open_way:
            results[cell] = Asker(apps, open_way, model, nonce())
    complaints = results[cell].complaints(app.page)
    assert not complaints, "; ".join(complaints)


@pytest.mark.parametrize("version", WANTED, indirect=True)
class TestEachVersion:
    def test_settings_reach_the_app(self, served: Served, model: Model) -> None:
        values = {
            "Mode": "thorough",
            "depth": "high",
            "Model": "large",
            "Styles": ["funny", "formal"],
            "Temperature": 1.5,
            "Max tokens": 64,
            "Cite sources": True,
            "Your name": "Ada",
            "Day": "2026-02-03",
        }
        app = replace(BY_PAGE["settings"], choices={"values": values})
        client = StreamlitClient(served.direct.target(app))
        for _ in range(2):
            answer = asked(app, client, model, f"What is {nonce()}?")
            assert answer.complaint() is None
            captions = [n.content.body for n in client.session.page if n.kind == "markdown"]
            assert "thorough high large ['funny', 'formal'] 1.5 64 True Ada 2026-02-03" in captions
        client.close()

    def test_pills(self, served: Served, model: Model) -> None:
        if served.env.number < (1, 40):
            pytest.skip("st.pills came with 1.40")
        values = {"Access key": {"value_env": KEY_ENV}, "Tone": "long"}
        app = replace(
            BY_PAGE["gate"],
            choices={"values": values},
            shown=lambda answer: f"(long) {answer}",
            turns=1,
        )
        only(ask(app, served.direct, model, nonce()))

    def test_a_lost_connection_is_resumed(self, served: Served, model: Model) -> None:
        direct = served.direct
        app = BY_PAGE["chat_placeholder"]
        with relay_to(served.port) as relay:
            client = StreamlitClient(replace(direct, url=relay.url).target(app))
            first = asked(app, client, model, f"Before {nonce()}?")
            relay.cut()
            second = asked(app, client, model, f"After {nonce()}?")
            assert (first.complaint(), second.complaint()) == (None, None)
            assert client.session.lost_sessions == 0
            bodies = [node.content.body.strip() for node in client.session.page if node.kind == "markdown"]
            assert first.text.strip() in bodies
            client.close()

    def test_long_messages_that_old_servers_only_refer_to(self, served: Served, model: Model) -> None:
        app = BY_PAGE["chat_placeholder"]
        client = StreamlitClient(served.direct.target(app))
        session: Any = client.session
        receive, kinds = session.receive, []

        def listen(data: bytes) -> object:
            kinds.append(decode(data).WhichOneof("type"))
            return receive(data)

        session.receive = listen
        long = nonce() + " and so on" * 1300
        for question in (long, f"Second {nonce()}?", f"Third {nonce()}?", f"Fourth {nonce()}?"):
            answer = asked(app, client, model, question)
            assert answer.complaint() is None
            bodies = [node.content.body.strip() for node in session.page if node.kind == "markdown"]
            assert long.strip() in bodies
        assert session.page.missing_references == 0
        assert ("ref_hash" in kinds) == (served.env.number < (1, 45))
        assert session.page.news() == ""
        client.close()

    def test_pages_of_st_navigation(
        self, served: Served, version: Environment, model: Model, workdir: Any, testbed: Any
    ) -> None:
        if version.number < (1, 36):
            pytest.skip("st.navigation came with 1.36")
        server = gallery_server(workdir, testbed.api_url, MODEL, python=version.python, app=NAVIGATION)
        server.start()
        try:
            for name in ("My assistant", "assistant"):
                only(ask(App(name, "by name", turns=1), Way(server.url), model, nonce()))
        finally:
            server.kill()


def test_the_words_of_the_gallery_are_those_of_a_table() -> None:
    for app in APPS:
        assert set(page_choices(app.choices, "")) == set(app.choices)
