"""A simulated server of any speed, over real uvicorn on a port of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from glm_locust.testbed import TruthRecord, read_truth
from glm_locust.testbed.faults import Fault
from glm_locust.testbed.ports import listen
from glm_locust.testbed.presets import EngineSpec, TaskProfile
from glm_locust.testbed.server import ServerSettings, create_app, uvicorn_server
from glm_locust.testbed.truth import TruthLog

DEADLINE_S = 20.0

FAST = EngineSpec(
    name="fast",
    step_s=0.001,
    sequence_s=0.0,
    image_token_s=0.0,
    text_token_s=0.0,
    tasks={},
    other=TaskProfile(prepare_s=0.0, output_tokens=20),
)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        pause.wait(0.01)


class RunningServer:
    """The server, a client for it, and its truth log."""

    def __init__(self, client: httpx.Client, truth_log: Path) -> None:
        self.client = client
        self._truth_log = truth_log

    def truth(self, count: int) -> list[TruthRecord]:
        """The log once it has `count` lines: a line follows the last byte of its answer."""
        wait_until(lambda: len(read_truth(self._truth_log)) >= count, f"{count} lines in the truth log")
        return read_truth(self._truth_log)

    def gauge(self, name: str) -> float:
        """One sample of /metrics."""
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"vllm:{name}{{"))


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., "contextmanager[RunningServer]"]:
    """Start a server: `with serve(spec=..., api_key=...) as server`."""

    @contextmanager
    def start(
        spec: EngineSpec = FAST, api_key: str | None = None, faults: tuple[Fault, ...] = (), seed: int = 0
    ) -> Iterator[RunningServer]:
        path = tmp_path / "truth.jsonl"
        with listen(0) as sock, TruthLog(path) as truth:
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            app = create_app(
                ServerSettings(spec=spec, truth=truth, seed=seed, api_key=api_key, faults=faults)
            )
            server = uvicorn_server(app)
            thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
            thread.start()
            try:
                with httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False) as client:
                    yield RunningServer(client, path)
            finally:
                server.should_exit = True
                thread.join(DEADLINE_S)
                assert not thread.is_alive()

    return start
