"""Real Streamlit and Jupyter servers for the tests of the Web path."""

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from glm_locust.testbed import jupyter
from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port

APPS = Path(__file__).parents[1] / "apps"
READY_S = 90.0
_OWN_ENV = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("STREAMLIT_") and name not in ("PYTHONPATH", "PYTHONHOME")
}


class PageServer:
    """`streamlit run` of one of our apps; may be ended and begun again on the same port.

    `python` is the one of an environment with another version of Streamlit.
    """

    def __init__(
        self,
        app: str,
        workdir: Path,
        *,
        base_path: str = "",
        options: tuple[str, ...] = (),
        python: Path | None = None,
        env: Mapping[str, str] | None = None,
        scheme: str = "http",
    ) -> None:
        self.port = available_port(0)
        self.url = f"{scheme}://{HOST}:{self.port}/{base_path}"
        self._python = str(python or sys.executable)
        self._env = dict(env or {})
        self._base_path = base_path
        self._options = options
        self._app = app
        self._workdir = workdir
        self._child: Child | None = None

    def start(self) -> None:
        self._child = Child(
            self._app,
            [
                *(self._python, "-m", "streamlit", "run", str(APPS / f"{self._app}.py")),
                *("--server.port", str(self.port), "--server.address", HOST, "--server.headless", "true"),
                *("--server.baseUrlPath", self._base_path, "--browser.gatherUsageStats", "false"),
                *("--server.fileWatcherType", "none", *self._options),
            ],
            log=self._workdir / f"{self._app.replace('/', '-')}-{self.port}.log",
            env={**_OWN_ENV, "HOME": str(self._workdir), **self._env},
            cwd=APPS,
        )
        self._child.wait_until(lambda: answers(f"{self.url.rstrip('/')}/_stcore/health"), seconds=READY_S)

    def kill(self) -> None:
        """End it without a goodbye."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.end()
        self._child = None


@contextlib.contextmanager
def page_server(app: str, workdir: Path, **options: Any) -> Iterator[PageServer]:
    server = PageServer(app, workdir, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()


class Jupyter:
    """A Jupyter server with jupyter-server-proxy; its token is in a file only."""

    def __init__(self, port: int, token: str, token_file: Path) -> None:
        self.port = port
        self.token = token
        self.token_file = token_file

    def page(self, server: PageServer) -> str:
        """The URL of a page behind the proxy."""
        return f"http://{HOST}:{self.port}{jupyter.proxy_path(server.port)}"

    def login_cookie(self) -> tuple[str, str]:
        """Name and value of the cookie that a browser has after it came once with the token."""
        answer = httpx.get(f"http://{HOST}:{self.port}/api/status", params={"token": self.token})
        return next((c.name, c.value or "") for c in answer.cookies.jar if c.name.startswith("username-"))


@contextlib.contextmanager
def jupyter_server(workdir: Path) -> Iterator[Jupyter]:
    token = secrets.token_hex(16)
    token_file = workdir / "jupyter-token"
    token_file.write_text(token)
    port = available_port(0)
    child = Child(
        "jupyter",
        jupyter.command(port),
        log=workdir / "jupyter.log",
        env={**os.environ, **jupyter.environment(workdir, token_file)},
        cwd=workdir,
    )
    try:
        child.wait_until(lambda: answers(f"http://{HOST}:{port}/api"), seconds=READY_S)
        yield Jupyter(port, token, token_file)
    finally:
        child.end()


def answers(url: str) -> bool:
    try:
        answer = httpx.get(url, timeout=5, trust_env=False, verify=False)
        return answer.status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
