"""Virtual environments that the tests need beside their own: made once, kept under `.cache/`."""

import contextlib
import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
TRIES_S = 900


class MissingError(Exception):
    """An environment that is not there and could not be made; the text says why."""


def made(
    folder: Path,
    wishes: Sequence[str],
    *,
    interpreter: str = sys.executable,
    proof: str,
    finish: Callable[[Path], None] = lambda python: None,
) -> Path:
    """The Python of an environment with these packages, made unless it is there; raises MissingError.

    `finish` does what is left once they are installed; then the statement `proof` must run.
    """
    python = folder / "bin" / "python"
    with alone(folder.with_name(f"{folder.name}.lock")):
        complete = folder / "complete"
        if not complete.exists() or complete.read_text() != "\n".join(wishes):
            shutil.rmtree(folder, ignore_errors=True)
            run([interpreter, "-m", "venv", str(folder)])
            # --no-compile: most of what is installed is never imported.
            pip = [str(python), "-m", "pip", "install", "--quiet", "--timeout=30", "--no-compile"]
            run([*pip, "--only-binary", ":all:", *wishes])
            finish(python)
            run([str(python), "-I", "-c", proof])  # compiles what it imports, whatever our environment says
            complete.write_text("\n".join(wishes))
    return python


def run(command: list[str]) -> None:
    """Run a command to its end; raises MissingError with its last line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRIES_S)
    except subprocess.TimeoutExpired:
        raise MissingError(f"{command[3:5]} took more than {TRIES_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise MissingError(lines[-1][:300])


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """No other process is in such a block with the same file."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
