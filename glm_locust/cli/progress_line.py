"""Live progress on a terminal: one line that rewrites itself, or a plain line every few seconds."""

import shutil
import time
from typing import TextIO

from glm_locust.conductor.progress import Progress

PLAIN_EVERY_S = 5.0
_CLEAR = "\r\x1b[2K"


class ProgressLine:
    """Shows the newest state on `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rewrites = stream.isatty()
        self._shown: str | None = None
        self._shown_s = 0.0

    def show(self, progress: Progress) -> None:
        """Show this state, or leave it for a later one."""
        text = describe(progress)
        now_s = time.monotonic()
        if text == self._shown or (not self._rewrites and now_s - self._shown_s < PLAIN_EVERY_S):
            return
        self._shown, self._shown_s = text, now_s
        if self._rewrites:
            width = shutil.get_terminal_size().columns
            self._stream.write(_CLEAR + text[: width - 1])
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._stream.write((_CLEAR if self._rewrites else "") + text + "\n")
        self._shown = None
        self._stream.flush()

    def clear(self) -> None:
        """Take the rewriting line away."""
        if self._rewrites and self._shown is not None:
            self._stream.write(_CLEAR)
            self._stream.flush()


def describe(progress: Progress) -> str:
    """One line: how much is done, what is asked now, how it goes."""
    if progress.total is None:
        done = f"{progress.done} requests"
    else:
        done = f"{progress.done:{len(str(progress.total))}d}/{progress.total}"
    parts = [done]
    if progress.level is not None:
        paths = progress.path if progress.path in progress.paths else "+".join(progress.paths)
        users = f"{progress.level} user{'s' if progress.level != 1 else ''}"
        parts += [progress.phase, users, f"{paths:11s}", f"{progress.task:8s}"]
    else:
        parts.append("waiting for the workers")
    if progress.ttft_p50_s is not None and progress.path in progress.paths:
        parts.append(f"TTFT p50 {progress.ttft_p50_s:.3f} s")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.dropped:
        parts.append(f"{progress.dropped} dropped")
    return "  ".join(parts)
