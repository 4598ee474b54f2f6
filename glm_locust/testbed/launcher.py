"""Starts the whole system under test on 127.0.0.1 and leaves nothing of it running."""

import contextlib
import functools
import http.client
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from glm_locust.errors import ConfigError
from glm_locust.testbed import jupyter
from glm_locust.testbed.child import Child, TestbedError
from glm_locust.testbed.engines import MODEL as TINY_MODEL
from glm_locust.testbed.engines import Engine
from glm_locust.testbed.faults import parse_fault
from glm_locust.testbed.pace import PaceFile
from glm_locust.testbed.ports import HOST, available_port, listen
from glm_locust.testbed.presets import MODEL, preset_named

_READY_S = 90.0
_ENGINE_READY_S = 300.0
"""vLLM imports for minutes where nothing is compiled yet and the machine is busy."""
_RESTARTS = 2
"""How often a server is started on another free port because somebody else was faster."""
_FOREIGN_PREFIXES = ("STREAMLIT_", "JUPYTER_", "JPY_", "GLM_TESTBED_")
"""A user's own settings of these programs must not reach the testbed's."""
_IMPORT_ROOT = Path(__file__).resolve().parents[2]
"""Where `glm_locust` is imported from, also when it is not installed."""
_PAGE = Path(__file__).with_name("page.py")


@dataclass(frozen=True, slots=True)
class _Server:
    """How to start one server and how to tell that it answers."""

    begin: Callable[[], Child]
    ready: Callable[[], bool]
    seconds: float = _READY_S


class Testbed:
    """The API server, the page and the Jupyter proxy, for as long as the `with` block lasts.

    Port 0 means a free one. `api_key_env` names the variable whose value the API server is to ask for.
    `faults` are what `--fault` takes; `pace_file` makes the engine slower at times (see `pace`). Without
    `truth_log` and `workdir` everything written is removed at the end. With an `engine` that one serves
    the tiny model (made in `model_dir` unless it is there) in place of the simulated one, which alone
    knows keys, faults, paces and a truth log. Enter it from a thread that outlives the block (the main
    thread): Linux ends the servers with the thread that started them. Raises ConfigError and TestbedError.
    """

    __test__: ClassVar[bool] = False

    def __init__(
        self,
        *,
        preset: str = "demo",
        seed: int = 0,
        api_port: int = 0,
        web_port: int = 0,
        jupyter_port: int = 0,
        web: bool = True,
        jupyter: bool = True,
        api_key_env: str | None = None,
        faults: Sequence[str] = (),
        truth_log: Path | None = None,
        workdir: Path | None = None,
        pace_file: Path | None = None,
        engine: Engine | None = None,
        model_dir: Path | None = None,
    ) -> None:
        preset_named(preset)
        if engine is not None:
            _refuse_with_engine(
                api_key_env=api_key_env, fault=faults, truth_log=truth_log, pace_file=pace_file
            )
        for fault in faults:
            parse_fault(fault)
        if api_key_env is not None and not os.environ.get(api_key_env, "").strip():
            raise ConfigError(f"api_key_env: environment variable {api_key_env} is not set or empty")
        expect_extra(web=web, jupyter=web and jupyter)
        self.preset = preset
        self.seed = seed
        self._wanted = {"api": api_port, "web": web_port, "jupyter": jupyter_port}
        self._ports = dict(self._wanted)
        self._web = web
        self._jupyter = web and jupyter
        self._api_key_env = api_key_env
        self._faults = tuple(faults)
        self._given_workdir = workdir
        self._truth_log = truth_log
        if pace_file is not None:
            PaceFile(pace_file)
        self._pace_file = pace_file
        self._engine = engine
        self._model_dir = model_dir
        self._workdir: Path | None = None
        self._token = secrets.token_urlsafe(24)
        self._children: dict[str, Child] = {}

    @property
    def api_url(self) -> str:
        """Base URL of the API server, without `/v1`."""
        return f"http://{HOST}:{self._ports['api']}"

    @property
    def web_url(self) -> str | None:
        """URL of the page itself; None without one."""
        return f"http://{HOST}:{self._ports['web']}/" if self._web else None

    @property
    def web_jupyter_url(self) -> str | None:
        """URL of the page behind the Jupyter proxy; None without one."""
        if not self._jupyter:
            return None
        return f"http://{HOST}:{self._ports['jupyter']}{jupyter.proxy_path(self._ports['web'])}"

    @property
    def jupyter_token(self) -> str:
        """The Jupyter server's token: a secret, not to be printed or recorded."""
        return self._token

    @property
    def jupyter_token_file(self) -> Path:
        """A file with the token that only this user can read."""
        return self.workdir / "jupyter-token"

    @property
    def workdir(self) -> Path:
        """Where logs and private files of the servers are."""
        if self._workdir is None:
            raise TestbedError("the testbed has not been started")
        return self._workdir

    @property
    def model(self) -> str:
        """What requests call the model."""
        return MODEL if self._engine is None else self._engine.model_name(self._engine_model)

    @property
    def truth_log(self) -> Path:
        """The simulated API server's own record of each request, see `read_truth`."""
        return self._truth_log if self._truth_log is not None else self.workdir / "truth.jsonl"

    @property
    def pids(self) -> dict[str, int]:
        """Server -> process id."""
        return {name: child.pid for name, child in self._children.items()}

    @property
    def logs(self) -> dict[str, Path]:
        """Server -> its log file."""
        return {name: child.log for name, child in self._children.items()}

    def start(self) -> None:
        """Start everything and wait until it answers; on failure nothing is left running."""
        given = self._given_workdir
        self._workdir = Path(tempfile.mkdtemp(prefix="glm-testbed-")) if given is None else given.resolve()
        try:
            self._workdir.mkdir(parents=True, exist_ok=True)
            if self._engine is None:
                _expect_writable(self.truth_log)
                servers = {"api": _Server(self._api_child, self._api_ready)}
            else:
                self._engine.make_model(self._engine_model)
                begin = functools.partial(self._engine_child, self._engine)
                servers = {"api": _Server(begin, self._api_ready, _ENGINE_READY_S)}
            if self._web:
                servers["web"] = _Server(self._web_child, self._web_ready)
            if self._jupyter:
                self._write_token()
                servers["jupyter"] = _Server(self._jupyter_child, self._jupyter_ready)
            # All begin before any is waited for: what takes long is their imports.
            for name, server in servers.items():
                self._children[name] = server.begin()
            for name, server in servers.items():
                self._wait(name, server)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every server; do nothing where all have ended."""
        for child in self._children.values():
            child.ask_to_end()
        for child in self._children.values():
            child.end()
        self._children.clear()
        if self._workdir is not None:
            self.jupyter_token_file.unlink(missing_ok=True)
            if self._given_workdir is None:
                shutil.rmtree(self._workdir, ignore_errors=True)
            self._workdir = None

    def check(self) -> None:
        """Raise TestbedError if a server has ended by itself."""
        for child in self._children.values():
            if child.exit_code is not None:
                raise TestbedError(f"{child.name} ended with code {child.exit_code}:\n{child.tail()}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, name: str, server: _Server) -> None:
        for _ in range(_RESTARTS):
            child = self._children[name]
            try:
                return child.wait_until(server.ready, seconds=server.seconds)
            except TestbedError:
                if child.exit_code is None or self._wanted[name] != 0 or not _says_port_taken(child):
                    raise
            child.end()
            self._children[name] = server.begin()
        return self._children[name].wait_until(server.ready, seconds=server.seconds)

    def _api_child(self) -> Child:
        # The server inherits a socket that listens already: nobody can take its port in between.
        with listen(self._wanted["api"]) as sock:
            self._ports["api"] = sock.getsockname()[1]
            fd = sock.fileno()
            command = [sys.executable, "-m", "glm_locust.testbed.server", f"--fd={fd}"]
            command += [f"--preset={self.preset}", f"--seed={self.seed}"]
            command += [f"--truth-log={self.truth_log.resolve()}"]
            command += [f"--fault={fault}" for fault in self._faults]
            if self._pace_file is not None:
                command.append(f"--pace-file={self._pace_file.resolve()}")
            if self._api_key_env is not None:
                command.append(f"--api-key-env={self._api_key_env}")
            path = os.pathsep.join(filter(None, (str(_IMPORT_ROOT), os.environ.get("PYTHONPATH"))))
            return Child(
                "api",
                command,
                log=self.workdir / "api.log",
                env=_environment(PYTHONPATH=path) | _key(self._api_key_env),
                cwd=self._home("api"),
                pass_fds=(fd,),
            )

    @property
    def _engine_model(self) -> Path:
        return (self._model_dir or self.workdir / TINY_MODEL).resolve()

    def _engine_child(self, engine: Engine) -> Child:
        self._ports["api"] = available_port(self._wanted["api"])
        home = self._home("api")
        command = engine.command(self._engine_model, self._ports["api"])
        return Child(
            "api",
            command,
            log=self.workdir / "api.log",
            env=engine.environment(home),
            cwd=home,
            has_children=True,
        )

    def _api_ready(self) -> bool:
        return _get(self._ports["api"], "/health") is not None

    def _web_child(self) -> Child:
        self._ports["web"] = available_port(self._wanted["web"])
        command = [sys.executable, "-m", "streamlit", "run", str(_PAGE)]
        command += [f"--server.address={HOST}", f"--server.port={self._ports['web']}"]
        command += ["--server.headless=true", "--browser.gatherUsageStats=false"]
        command += ["--server.fileWatcherType=none", "--global.developmentMode=false"]
        home = self._home("web")
        env = _environment(HOME=str(home), GLM_TESTBED_API_URL=self.api_url, GLM_TESTBED_MODEL=self.model)
        if self._engine is not None:
            env["GLM_TESTBED_ENGINE"] = self._engine.name
        if self._api_key_env is not None:
            env |= _key(self._api_key_env) | {"GLM_TESTBED_API_KEY_ENV": self._api_key_env}
        return Child("web", command, log=self.workdir / "web.log", env=env, cwd=home)

    def _web_ready(self) -> bool:
        return _get(self._ports["web"], "/_stcore/health") == b"ok"

    def _jupyter_child(self) -> Child:
        self._ports["jupyter"] = available_port(self._wanted["jupyter"])
        home = self._home("jupyter")
        env = _environment(**jupyter.environment(home, self.jupyter_token_file))
        if self._api_key_env is not None:
            env.pop(self._api_key_env, None)
        command = jupyter.command(self._ports["jupyter"])
        return Child("jupyter", command, log=self.workdir / "jupyter.log", env=env, cwd=home)

    def _jupyter_ready(self) -> bool:
        path = f"{jupyter.proxy_path(self._ports['web'])}_stcore/health"
        return _get(self._ports["jupyter"], path, {"Authorization": f"token {self._token}"}) == b"ok"

    def _home(self, name: str) -> Path:
        home = self.workdir / name
        home.mkdir(exist_ok=True)
        return home

    def _write_token(self) -> None:
        path = self.jupyter_token_file
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self._token)


def expect_extra(*, web: bool, jupyter: bool) -> None:
    """Raise ConfigError where the packages of the extra `testbed` are missing."""
    needed = ["fastapi", "uvicorn"]
    needed += ["streamlit"] if web else []
    needed += ["jupyter_server", "jupyter_server_proxy"] if jupyter else []
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"the testbed needs {', '.join(missing)}: install glm-locust[testbed]")


def _refuse_with_engine(**given: object) -> None:
    for name, value in given.items():
        if value:
            raise ConfigError(f"{name}: expected no engine, since only the simulated model has this")


def _expect_writable(path: Path) -> None:
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(f"truth log {path}: cannot write: {error.strerror}") from None


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_PREFIXES)}
    return kept | more


def _key(name: str | None) -> dict[str, str]:
    """The variable with the API key, for the two servers that need it."""
    return {} if name is None else {name: os.environ[name].strip()}


def _says_port_taken(child: Child) -> bool:
    text = child.log.read_text(errors="replace").lower()
    return "already in use" in text or "not available" in text


def _get(port: int, path: str, headers: dict[str, str] | None = None) -> bytes | None:
    """The body of a 200; None for anything else."""
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
    return body if response.status == 200 else None
