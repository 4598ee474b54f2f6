"""The GPU exporter beside the testbed, where it is installed in the same environment."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from glm_locust.errors import ConfigError
from glm_locust.testbed import Testbed
from glm_locust.testbed.child import Child, TestbedError

_READY_S = 30.0
_FIRST_WORD_S = 15.0
_LISTENING = re.compile(r"^listening on (http://\S+)$", re.MULTILINE)
_STATE = re.compile(r"^glm-gpu-exporter: ((?:sampling|no NVIDIA|NVML).*)$", re.MULTILINE)


class TestbedExporter:
    """A glm-gpu-exporter on a free port of 127.0.0.1 that knows the testbed's processes by group.

    Raises ConfigError where it is not installed here, TestbedError where it does not start.
    """

    __test__ = False

    def __init__(self, testbed: Testbed, workdir: Path) -> None:
        """`workdir` gets its log and its configuration."""
        if importlib.util.find_spec("glm_gpu_exporter") is None:
            raise ConfigError("glm-gpu-exporter is not installed in this environment")
        config = workdir / "exporter.toml"
        config.write_text(_groups(testbed), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "glm_gpu_exporter",
            "--listen=127.0.0.1:0",
            f"--config={config.resolve()}",
        ]
        self._child = Child(
            "exporter", command, log=workdir / "exporter.log", env=os.environ, cwd=workdir.resolve()
        )

    @property
    def url(self) -> str:
        """Where it listens."""
        match = _LISTENING.search(self._said())
        if match is None:
            raise TestbedError(f"the exporter does not listen:\n{self._child.tail()}")
        return match[1]

    @property
    def state(self) -> str:
        """What it says of the GPUs, in one line."""
        match = _STATE.search(self._said())
        return "it has not said whether there is a GPU" if match is None else match[1]

    def _said(self) -> str:
        return self._child.log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        try:
            self._child.wait_until(lambda: bool(_LISTENING.search(self._said())), seconds=_READY_S)
            self._child.wait_until(lambda: bool(_STATE.search(self._said())), seconds=_FIRST_WORD_S)
        except TestbedError:
            self._child.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.end()


def _groups(testbed: Testbed) -> str:
    """Which command line belongs to which group: by what no other testbed on this machine has in it."""
    api_port = testbed.api_url.rpartition(":")[2]
    simulated = re.escape(f"--truth-log={testbed.truth_log.resolve()}")
    patterns = {"model-server": rf"{simulated}|--port={api_port}\b"}
    for name, url, option in (
        ("streamlit", testbed.web_url, "--server.port="),
        ("jupyter", testbed.web_jupyter_url, "--ServerApp.port="),
    ):
        if url is not None and (port := re.match(r"http://[^/:]+:(\d+)", url)) is not None:
            patterns[name] = re.escape(option + port[1]) + r"\b"
    patterns["load-generator"] = re.escape(str(Path(__file__).with_name("locustfile.py")))
    return "\n".join(
        f"[[process_group]]\nname = {json.dumps(name)}\ncommand = {json.dumps(pattern)}\n"
        for name, pattern in patterns.items()
    )
