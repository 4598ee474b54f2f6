"""The last minutes of rows, numbered and compressed, to be read page by page.  No I/O."""

import zlib
from array import array
from collections import deque
from dataclasses import dataclass, field

CHUNK_ROWS = 256
"""Rows are compressed in chunks of this many: 8 GPUs at 20 Hz fill one in a second and a half."""


PACK_LEVEL = 4
"""A tenth of the size of the rows for 4 us a row; higher levels cost more than they save."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in order; ``first_seq`` is the oldest that is still kept, ``last_seq`` the newest."""

    lines: list[bytes]
    next_since: int
    more: bool
    first_seq: int
    last_seq: int


@dataclass(slots=True)
class _Chunk:
    first_seq: int
    newest_ns: int = 0
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    lines: list[bytes] = field(default_factory=list)
    packed: bytes | None = None

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.times_ns) - 1

    def pack(self) -> None:
        self.packed = zlib.compress(b"\n".join(self.lines), PACK_LEVEL)
        self.lines = []

    def unpacked(self) -> list[bytes]:
        return self.lines if self.packed is None else zlib.decompress(self.packed).split(b"\n")


class Ring:
    """Rows of the last ``keep_s`` seconds.  Not locked: ``Intake`` is the one gate to it."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ns = int(keep_s * 1e9)
        self._chunks: deque[_Chunk] = deque([_Chunk(first_seq=1)])

    @property
    def last_seq(self) -> int:
        """The number of the newest row; 0 before the first."""
        return self._chunks[-1].last_seq

    def append(self, line: bytes, time_ns: int) -> None:
        """Adds a row, which gets the number ``last_seq``."""
        chunk = self._chunks[-1]
        chunk.lines.append(line)
        chunk.times_ns.append(time_ns)
        chunk.newest_ns = max(chunk.newest_ns, time_ns)
        if len(chunk.lines) < CHUNK_ROWS:
            return
        # The chunk before is packed now, not this one: those who follow along read rows that are not packed.
        if len(self._chunks) > 1:
            self._chunks[-2].pack()
        self._chunks.append(_Chunk(first_seq=chunk.last_seq + 1))
        # Compared by the newest row of a chunk, so that a clock that was set back discards nothing.
        while len(self._chunks) > 2 and time_ns - self._chunks[0].newest_ns > self._keep_ns:
            self._chunks.popleft()

    def page_after(self, seq: int, limit: int) -> Page:
        """At most ``limit`` rows with numbers above ``seq``."""
        first_seq = self._chunks[0].first_seq
        wanted = max(seq + 1, first_seq)
        lines: list[bytes] = []
        for chunk in self._chunks:
            if chunk.last_seq >= wanted and len(lines) < limit:
                skip = max(wanted - chunk.first_seq, 0)
                lines += chunk.unpacked()[skip : skip + limit - len(lines)]
        next_since = wanted + len(lines) - 1
        # A number from the future belongs to an earlier life of the exporter.
        next_since = min(next_since, self.last_seq)
        return Page(lines, next_since, next_since < self.last_seq, first_seq, self.last_seq)

    def seq_before(self, time_ns: int) -> int:
        """The number after which every row lies that was read at ``time_ns`` or later.

        Rows of different GPUs come in batches, so a few older rows may lie after it, too.
        """
        for chunk in self._chunks:
            if chunk.newest_ns >= time_ns:
                offset = next(i for i, row_ns in enumerate(chunk.times_ns) if row_ns >= time_ns)
                return chunk.first_seq + offset - 1
        return self.last_seq
