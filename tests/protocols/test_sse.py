"""The SSE splitter: the standard's rules, any split of the bytes, bounded memory."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.sse import SseEvent, SseSplitter


def events_of(*pieces: bytes, limit: int = 1000) -> list[SseEvent]:
    splitter = SseSplitter(limit)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return [*events, *splitter.end()]


@pytest.mark.parametrize(
    ("why", "stream", "expected"),
    [
        ("one line of data", b"data: a\n\n", [SseEvent(b"a")]),
        ("only one space after the colon is no data", b"data:  a\n\n", [SseEvent(b" a")]),
        ("the space may be missing", b"data:a\n\n", [SseEvent(b"a")]),
        ("several lines of data are joined", b"data: a\ndata: b\n\n", [SseEvent(b"a\nb")]),
        ("CR ends a line", b"data: a\r\rdata: b\r\r", [SseEvent(b"a"), SseEvent(b"b")]),
        ("CRLF is one end, not two", b"data: a\r\ndata: b\r\n\r\n", [SseEvent(b"a\nb")]),
        ("ends of lines may be mixed", b"data: a\rdata: b\n\r\n", [SseEvent(b"a\nb")]),
        ("a byte order mark is skipped", b"\xef\xbb\xbfdata: a\n\n", [SseEvent(b"a")]),
        ("only at the start", b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [SseEvent(b"a")]),
        ("comments say nothing", b": ping\n\n: ping\ndata: a\n\n", [SseEvent(b"a")]),
        (
            "a type belongs to its event",
            b"event: e\ndata: a\n\ndata: b\n\n",
            [SseEvent(b"a", b"e"), SseEvent(b"b")],
        ),
        ("an event without data is none", b"event: e\n\ndata: b\n\n", [SseEvent(b"b")]),
        (
            "an id stays",
            b"id: 7\ndata: a\n\ndata: b\n\n",
            [SseEvent(b"a", b"", b"7"), SseEvent(b"b", b"", b"7")],
        ),
        ("an id with NUL is ignored", b"id: 7\0\ndata: a\n\n", [SseEvent(b"a")]),
        ("a field without colon has no value", b"data\n\n", [SseEvent(b"")]),
        ("unknown fields are ignored", b"retry: 5\nfoo: x\ndata: a\n\n", [SseEvent(b"a")]),
        ("the last empty line may be missing", b"data: a\n\ndata: b\n", [SseEvent(b"a"), SseEvent(b"b")]),
        ("the last end of line, too", b"data: a", [SseEvent(b"a")]),
        ("nothing at all", b"", []),
    ],
)
def test_rules(why: str, stream: bytes, expected: list[SseEvent]) -> None:
    assert events_of(stream) == expected, why
    assert events_of(*(stream[i : i + 1] for i in range(len(stream)))) == expected, f"{why}, byte by byte"


LINES = st.sampled_from(
    [
        b"data: hello",
        b"data:",
        "data: 面条 🍜".encode(),
        b"event: error",
        b"id: 3",
        b": c",
        b"",
        b"\xef\xbb\xbfdata: x",
        b"data",
    ]
)


@given(
    lines=st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=25),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_split_gives_the_same_events(lines: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in lines)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert events_of(*pieces) == events_of(stream)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("why", "stream"),
    [
        ("a line without end", b"data: " + b"x" * 300),
        ("a line over the limit", b"data: " + b"x" * 300 + b"\n\n"),
        ("an event of many lines", b"data: xxxxxxxxxx\n" * 40),
    ],
)
def test_more_than_the_limit_is_refused(why: str, stream: bytes, size: int) -> None:
    stream = b"data: fine\n\n" + stream
    splitter = SseSplitter(200)
    seen: list[SseEvent] = []

    def feed_all() -> None:
        for i in range(0, len(stream), size):
            for event in splitter.feed(stream[i : i + size]):
                seen.append(event)  # noqa: PERF402 - what came before the error is kept

    with pytest.raises(RemoteProtocolError, match="over 200 bytes"):
        feed_all()
    assert seen == [SseEvent(b"fine")], why
