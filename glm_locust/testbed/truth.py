"""The truth log: what the simulated server itself knows of each request, one JSON line a request."""

from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec


class TruthRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the server saw it; instants are `time.time_ns()` of the server's process."""

    prompt_id: str | None
    """`records.digest` of the last user message's text; None where the body could not be read."""
    upstream_id: str | None
    """The id of the answer as the client was told; None where none was begun."""
    received_head_ns: int
    received_ns: int | None
    """The body was complete."""
    first_token_ns: int | None
    """Just before the bytes of the first visible token were handed to the socket: nobody can have read
    them earlier, and the write itself counts as the network's."""
    finished_ns: int
    outcome: Literal["finished", "aborted", "error"]
    """aborted: the client left before the end. error: refused, or broken off by a fault."""
    status: int | None
    """HTTP status sent; None where the client left before it."""
    prompt_tokens: int | None
    output_tokens: int
    """Tokens handed to the socket."""
    images: int
    running_at_arrival: int
    """Requests in the batch when this one's body was complete, itself not included."""
    waiting_at_arrival: int
    """Requests accepted but not yet in the batch, likewise."""


class TruthLog:
    """Appends records to a file, each flushed at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def write(self, record: TruthRecord) -> None:
        """Append one line by one system call, so a kill leaves at most the last line cut."""
        self._file.write(self._encoder.encode(record) + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_truth(path: Path) -> list[TruthRecord]:
    """All records of a truth log; a last line that was cut off is left out.

    Raises msgspec.DecodeError for any other line that is not a record.
    """
    *lines, rest = path.read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(TruthRecord)
    records = [decoder.decode(line) for line in lines if line.strip()]
    if rest.strip():
        try:
            records.append(decoder.decode(rest))
        except msgspec.DecodeError:
            return records
    return records
