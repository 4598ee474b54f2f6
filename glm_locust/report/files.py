"""Files that are replaced whole or not at all."""

import os
from pathlib import Path

from glm_locust.errors import ConfigError


def write_whole(path: Path, content: str) -> None:
    """Write a text file; raises ConfigError where it cannot be written, and leaves what was there."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # What a server said may hold halves of characters; they must not stop the report.
        unfinished.write_text(content, encoding="utf-8", errors="replace")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
