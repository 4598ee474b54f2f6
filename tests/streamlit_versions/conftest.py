"""Versions of Streamlit as fixtures, and the table of what passed at the end of the run."""

import contextlib
import functools
import os
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glm_locust.config import Secret
from glm_locust.testbed.launcher import Testbed
from glm_locust.testbed.presets import MODEL
from tests.setup.streamlit_envs import WANTED, Environment, MissingError, environment
from tests.streamlit_versions.asking import Asker, Model, Way
from tests.streamlit_versions.gallery import KEY, KEY_ENV, gallery_server
from tests.users.pages import Jupyter, jupyter_server

COOKIE_ENV = "GALLERY_JUPYTER_COOKIE"
BASE_PATH = "some/deep/path"
RESULTS = pytest.StashKey[dict[tuple[str, str], Asker]]()


class Served:
    """The gallery as one version of Streamlit serves it, and the ways that lead there."""

    def __init__(self, env: Environment, workdir: Path, model_url: str, jupyter: Jupyter) -> None:
        self.env = env
        self._make = functools.partial(gallery_server, workdir, model_url, MODEL, python=env.python)
        self._server = self._make()
        self._jupyter = jupyter
        self._server.start()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def direct(self) -> Way:
        return Way(self._server.url)

    @contextlib.contextmanager
    def open(self, way: str) -> Iterator[Way]:
        """One of the ways, for as long as the block lasts."""
        if way == "direct":
            yield self.direct
        elif way == "base path":
            server = self._make(base_path=BASE_PATH)
            try:
                server.start()
                yield Way(server.url)
            finally:
                server.kill()
        else:
            url = self._jupyter.page(self._server)
            if way == "Jupyter, token":
                yield Way(url, token=Secret(file=str(self._jupyter.token_file)))
            else:
                cookie, value = self._jupyter.login_cookie()
                os.environ[COOKIE_ENV] = value
                yield Way(url, cookies={cookie: Secret(env=COOKIE_ENV)})

    def close(self) -> None:
        self._server.kill()


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


@functools.cache
def _environment(version: str) -> Environment | str:
    """The environment, or why there is none: tried once in a run."""
    try:
        return environment(version)
    except MissingError as error:
        return f"Streamlit {version} could not be installed: {error}"


def _or_left_out(version: str) -> Environment:
    found = _environment(version)
    if isinstance(found, Environment):
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(found)
    pytest.skip(found)


@pytest.fixture
def version(request: pytest.FixtureRequest) -> Environment:
    """The environment of the version that the test's parameter names."""
    return _or_left_out(request.param)


@pytest.fixture
def environments() -> list[Environment]:
    """Those of all versions."""
    return [_or_left_out(version) for version in WANTED]


@pytest.fixture(scope="module")
def serve(workdir: Path, testbed: Testbed, jupyter: Jupyter) -> Iterator[Callable[[Environment], Served]]:
    """The running gallery of a version; each is started once and ends with the module."""
    os.environ[KEY_ENV] = KEY
    running: dict[str, Served] = {}

    def served(env: Environment) -> Served:
        if env.version not in running:
            running[env.version] = Served(env, workdir, testbed.api_url, jupyter)
        return running[env.version]

    yield served
    for gallery in running.values():
        gallery.close()


@pytest.fixture
def served(version: Environment, serve: Callable[[Environment], Served]) -> Served:
    return serve(version)


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
