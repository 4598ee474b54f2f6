"""Server-sent events out of any split of their bytes."""

from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from glm_locust.errors import RemoteProtocolError

EVENT_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""Of one line, and of the data of one event."""

_BOM: Final = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """One event; everything in it is the server's own bytes."""

    data: bytes
    event: bytes = b""
    """Its type, empty where the server named none."""
    id: bytes = b""
    """The last id seen up to here."""


class SseSplitter:
    """Splits one event stream into its events and remembers at most one unfinished event."""

    def __init__(self, limit_bytes: int = EVENT_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._parts: list[bytes] = []  # the unfinished line
        self._parts_bytes = 0
        self._data: list[bytes] = []  # of the unfinished event
        self._data_bytes = 0
        self._event = b""
        self._id = b""
        self._at_start = True
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        """Yield the events that `data` completes; iterate it to its end before feeding more.

        Raises RemoteProtocolError for a line or an event over the limit, after the events before it.
        """
        # CR, LF and CRLF all become LF here; the LF of a CRLF may only come with the next bytes.
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            if self._parts:
                head = b"".join((*self._parts, head))
                self._parts.clear()
                self._parts_bytes = 0
            for line in head.split(b"\n"):
                event = self._take(line)
                if event is not None:
                    yield event
        if tail:
            self._parts.append(tail)
            self._parts_bytes += len(tail)
            if self._parts_bytes > self._limit:
                self._refuse()

    def end(self) -> Iterator[SseEvent]:
        """The stream ended cleanly: yield the event that only lacks its empty line, if there is one."""
        line = b"".join(self._parts)
        self._parts.clear()
        self._parts_bytes = 0
        for last in (line, b"") if line else (b"",):
            event = self._take(last)
            if event is not None:
                yield event

    def _take(self, line: bytes) -> SseEvent | None:
        if len(line) > self._limit:
            self._refuse()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._limit:
                self._refuse()
        elif field == b"event":
            self._event = value
        elif field == b"id" and b"\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> SseEvent | None:
        data, event = self._data, self._event
        self._event = b""
        if not data:
            return None
        self._data = []
        self._data_bytes = 0
        return SseEvent(data[0] if len(data) == 1 else b"\n".join(data), event, self._id)

    def _refuse(self) -> NoReturn:
        raise RemoteProtocolError(f"an event of the stream is over {self._limit} bytes")
