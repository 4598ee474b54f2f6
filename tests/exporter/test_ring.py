"""The ring: pages are whole, numbers never repeat, memory is that of the compressed rows."""

import pytest
from glm_gpu_exporter.ring import CHUNK_ROWS, Ring
from hypothesis import given
from hypothesis import strategies as st

SECOND_NS = 10**9


def filled(count: int, keep_s: float = 600.0, every_ns: int = SECOND_NS // 10) -> Ring:
    ring = Ring(keep_s)
    for n in range(1, count + 1):
        ring.append(b'{"n":%d}' % n, n * every_ns)
    return ring


@given(count=st.integers(0, 3 * CHUNK_ROWS), limit=st.integers(1, 2 * CHUNK_ROWS), start=st.integers(0, 800))
def test_following_next_gives_every_row_once(count: int, limit: int, start: int) -> None:
    ring = filled(count)
    since, rows, more = start, [], True
    while more:
        page = ring.page_after(since, limit)
        assert len(page.lines) <= limit
        rows += page.lines
        since, more = page.next_since, page.more
    assert rows == [b'{"n":%d}' % n for n in range(start + 1, count + 1)]
    assert since == count


@given(count=st.integers(1, 2 * CHUNK_ROWS + 5), at=st.integers(-5, 70_000_000_000))
def test_a_moment_finds_the_first_row_that_is_not_older(count: int, at: int) -> None:
    ring = filled(count)
    lines = ring.page_after(ring.seq_before(at), 10_000).lines
    assert lines == [b'{"n":%d}' % n for n in range(1, count + 1) if n * SECOND_NS // 10 >= at]


def test_rows_older_than_is_kept_leave_in_whole_chunks() -> None:
    ring = filled(20 * CHUNK_ROWS, keep_s=60.0)
    page = ring.page_after(0, 10_000)
    kept = len(page.lines)
    assert page.first_seq == 20 * CHUNK_ROWS - kept + 1
    assert 600 <= kept <= 600 + 2 * CHUNK_ROWS


def test_a_clock_that_is_set_back_discards_nothing() -> None:
    ring = filled(5 * CHUNK_ROWS)
    for n in range(2 * CHUNK_ROWS):
        ring.append(b"late", n)
    assert ring.page_after(0, 10_000).first_seq == 1


@pytest.mark.parametrize("since", [1, 5, 1000])
def test_a_number_from_an_earlier_life_leads_back_to_the_present(since: int) -> None:
    page = Ring(600.0).page_after(since, 10)
    assert (page.lines, page.next_since, page.more) == ([], 0, False)
