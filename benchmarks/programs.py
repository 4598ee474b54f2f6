"""The programs that the benchmarks of the Web path start, each ended with its `with` block."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from glm_locust.testbed.child import Child
from glm_locust.testbed.ports import HOST, available_port

ROOT = Path(__file__).parent.parent


class CrowdProcess:
    """Protocol users in a process of their own, see `streamlit_crowd.py`."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks/streamlit_crowd.py"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def do(self, **command: object) -> dict[str, Any]:
        """Send one command and wait for what it gives."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the users' process ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def crowd(url: str) -> Iterator[CrowdProcess]:
    """Users of this page."""
    users = CrowdProcess(url)
    try:
        yield users
    finally:
        users.end()


@contextlib.contextmanager
def streamlit(page: Path, workdir: Path, env: Mapping[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """A Streamlit process with this page; yields URL and process id."""
    port = available_port(0)
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.headless=true"]
    command += [f"--server.address={HOST}", f"--server.port={port}", "--server.fileWatcherType=none"]
    command += ["--browser.gatherUsageStats=false"]
    url = f"http://{HOST}:{port}/"
    with _child("streamlit", command, workdir, env, lambda: _answers(f"{url}_stcore/health")) as child:
        yield url, child.pid


@contextlib.contextmanager
def steady_model(workdir: Path, ttft_s: float, rate_hz: float, tokens: int) -> Iterator[tuple[str, int]]:
    """A model server that answers at a fixed pace, however many ask; yields URL and process id."""
    port = available_port(0)
    command = [sys.executable, str(ROOT / "benchmarks/steady_model.py"), f"--port={port}"]
    command += [f"--ttft={ttft_s}", f"--rate={rate_hz}", f"--tokens={tokens}"]
    url = f"http://{HOST}:{port}"
    with _child("model", command, workdir, None, lambda: _answers(f"{url}/health")) as child:
        yield url, child.pid


@contextlib.contextmanager
def _child(
    name: str, command: list[str], workdir: Path, env: Mapping[str, str] | None, ready: Any
) -> Iterator[Child]:
    whole = {**os.environ, "HOME": str(workdir), **(env or {})}
    child = Child(name, command, log=workdir / f"{name}.log", env=whole, cwd=workdir)
    try:
        child.wait_until(ready, seconds=90)
        yield child
    finally:
        child.end()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
