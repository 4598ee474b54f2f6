"""Versions of Streamlit as fixtures, and the table of what passed at the end of the run."""

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.config import Secret
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import MODEL
from tests.setup.streamlit_envs import Environment, MissingError, environment
from tests.streamlit_versions.asking import Asker, Model, Way
from tests.streamlit_versions.gallery import KEY, KEY_ENV, gallery_server
from tests.users.pages import Jupyter, PageServer, jupyter_server

COOKIE_ENV = "GALLERY_JUPYTER_COOKIE"
BASE_PATH = "some/deep/path"
RESULTS = pytest.StashKey[dict[tuple[str, str], Asker]]()


class Served:
    """The gallery as one version of Streamlit serves it, and the ways that lead there."""

    def __init__(self, env: Environment, workdir: Path, model_url: str, jupyter: Jupyter) -> None:
        self.env = env
        self.direct = gallery_server(workdir, model_url, MODEL, python=env.python)
        self._base_path = gallery_server(workdir, model_url, MODEL, python=env.python, base_path=BASE_PATH)
        self._jupyter = jupyter
        self._started: list[PageServer] = []

    def way(self, name: str) -> Way:
        if name == "base path":
            return Way(self._running(self._base_path).url)
        server = self._running(self.direct)
        if name == "direct":
            return Way(server.url)
        url = self._jupyter.page(server)
        if name == "Jupyter, token":
            return Way(url, token=Secret(file=str(self._jupyter.token_file)))
        cookie, value = self._jupyter.login_cookie()
        os.environ[COOKIE_ENV] = value
        return Way(url, cookies={cookie: Secret(env=COOKIE_ENV)})

    def close(self) -> None:
        for server in self._started:
            server.kill()

    def _running(self, server: PageServer) -> PageServer:
        if server not in self._started:
            self._started.append(server)
            server.start()
        return server


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("versions")


@pytest.fixture(scope="module")
def jupyter(workdir: Path) -> Iterator[Jupyter]:
    with jupyter_server(workdir) as server:
        yield server


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    with Testbed(web=False, jupyter=False) as running:
        yield running


@pytest.fixture(scope="module")
def model(testbed: Testbed) -> Model:
    return Model(testbed)


@pytest.fixture(scope="module")
def version(request: pytest.FixtureRequest) -> Environment:
    """The environment of the version that the test's parameter names."""
    try:
        return environment(request.param)
    except MissingError as error:
        told = f"Streamlit {request.param} could not be installed: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)


@pytest.fixture(scope="module")
def served(version: Environment, workdir: Path, testbed: Testbed, jupyter: Jupyter) -> Iterator[Served]:
    os.environ[KEY_ENV] = KEY
    gallery = Served(version, workdir, testbed.api_url, jupyter)
    yield gallery
    gallery.close()


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[tuple[str, str], Asker]:
    """(version, way) -> what the apps answered there."""
    return request.config.stash.setdefault(RESULTS, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(RESULTS, {})
    if not found:
        return
    ways = list(dict.fromkeys(way for _, way in found))
    terminalreporter.section("Streamlit versions: apps answered / asked, median TTFT lag, time")
    terminalreporter.write_line(f"{'':8}" + "".join(f"{way:>26}" for way in ways))
    for number in dict.fromkeys(number for number, _ in found):
        cells = [_cell(found[number, way]) if (number, way) in found else "" for way in ways]
        terminalreporter.write_line(f"{number:8}" + "".join(f"{cell:>26}" for cell in cells))


def _cell(asker: Asker) -> str:
    lags = [answer.lag_ms for answers in asker.answers.values() for answer in answers if answer.lag_ms]
    lag = f"{statistics.median(lags):.0f} ms" if lags else "-"
    return f"{asker.passed}/{len(asker.answers) + len(asker.errors)}  {lag}  {asker.took_s:.0f} s"
