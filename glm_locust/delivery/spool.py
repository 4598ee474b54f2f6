"""The spool: a worker's own file of one run's records, there before anything else knows of them."""

import contextlib
from pathlib import Path

from glm_locust.errors import ConfigError
from glm_locust.records import RequestRecord, encode_line
from glm_locust.sinks import SPOOL_DIRECTORY, LineFile, SinkError

SUFFIX = ".jsonl"


class Spool:
    """One worker's records of one run, a line each."""

    def __init__(self, directory: Path, worker_id: str) -> None:
        """Raises ConfigError where the file cannot be made."""
        path = directory / f"{worker_id}{SUFFIX}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = LineFile(path, new=True)
        except OSError as error:
            raise ConfigError(f"--glm-spool-dir: cannot make {directory}: {error.strerror}") from None
        except SinkError as error:
            raise ConfigError(f"--glm-spool-dir: {error}") from None

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def append(self, record: RequestRecord) -> bytes:
        """Write the record with one write call and return its line; raises SinkError."""
        line = encode_line(record)
        self._file.append(line)
        return line

    def close(self, *, delivered: bool) -> None:
        """Append nothing more; with `delivered` the master has it all, and the file goes."""
        self._file.close()
        if not delivered:
            return
        self.path.unlink(missing_ok=True)
        directory = self.path.parent
        # Spools of other workers may be in there; and above it the run, unless this is another host.
        with contextlib.suppress(OSError):
            directory.rmdir()
            if directory.name == SPOOL_DIRECTORY:
                directory.parent.rmdir()
