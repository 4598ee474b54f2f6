"""Errors against a truth that was made up: known to the microsecond."""

import itertools

import msgspec
import pytest

from glm_locust.metrics import RELATIVE_ERROR_BOUND
from glm_locust.records import ErrorKind, Outcome, Phase, RequestRecord
from glm_locust.ruler import Truth, reading

S, MS, US = 1_000_000_000, 1_000_000, 1_000
START = 1_790_000_000 * S
TOKENS = 60


def truth(number: int, *, submitted_ns: int) -> Truth:
    received = submitted_ns + 300 * US
    tokens = [received + 200 * MS + n * 20 * MS for n in range(TOKENS)]
    return Truth(f"ruler-{number}", received, tokens)


def record(known: Truth, number: int, *, submitted_ns: int, late_us: int, jitter_us: int) -> RequestRecord:
    """A client that is always `late_us` late, and every other time by `jitter_us` more."""
    seen = [at + late_us * US + (n % 2) * jitter_us * US for n, at in enumerate(known.token_ns)]
    gaps = tuple(round((b - a) / US) for a, b in itertools.pairwise(seen))
    return RequestRecord(
        run_id="r",
        worker_id="w",
        seq=number,
        path="api",
        task="t",
        phase=Phase.MEASURE,
        prompt_id=f"p{number}",
        scheduled_ns=submitted_ns,
        sent_ns=submitted_ns,
        submitted_ns=submitted_ns,
        first_token_ns=seen[0],
        first_output_ns=seen[0],
        last_output_ns=seen[-1],
        finished_ns=seen[-1],
        first_token_lag_us=late_us,
        output_gaps_us=gaps,
        upstream_id=known.id,
        outcome=Outcome.OK,
    )


def run(late_us: int = 700, jitter_us: int = 90, n: int = 10) -> tuple[list[RequestRecord], dict[str, Truth]]:
    begins = [START + number * S for number in range(n)]
    known = [truth(number, submitted_ns=begin) for number, begin in enumerate(begins)]
    records = [
        record(one, number, submitted_ns=begin, late_us=late_us, jitter_us=jitter_us)
        for number, (one, begin) in enumerate(zip(known, begins, strict=True))
    ]
    return records, {one.id: one for one in known}


def about(value: float) -> object:
    return pytest.approx(value, rel=2 * RELATIVE_ERROR_BOUND, abs=0.5)


def test_what_the_client_and_the_way_add() -> None:
    found = reading(*run(), since_ns=0)
    assert (found.requests, found.failed, found.merged) == (10, 0, 0)
    assert found.ttft_p50_us == about(1000)  # 300 to the server, 700 late
    assert found.kernel_ttft_p99_us == about(300)
    assert found.itl_p99_us == about(90)
    assert found.trusted


@pytest.mark.parametrize(("late_us", "jitter_us"), [(4800, 0), (0, 5100)], ids=["ttft", "itl"])
def test_beyond_a_bound_it_is_not_trusted(late_us: int, jitter_us: int) -> None:
    assert not reading(*run(late_us, jitter_us), since_ns=0).trusted


def test_the_beginning_is_left_out() -> None:
    records, known = run()
    assert reading(records, known, since_ns=START + 6 * S).requests == 4
    nothing = reading(records, known, since_ns=START + 60 * S)
    assert (nothing.requests, nothing.ttft_p50_us, nothing.trusted) == (0, None, False)


def test_tokens_that_came_together_are_counted_and_not_guessed() -> None:
    records, known = run()
    short = [*records[:-1], _without_a_gap(records[-1])]
    found = reading(short, known, since_ns=0)
    assert (found.requests, found.merged) == (10, 1)
    assert found.itl_p99_us == about(90)


def _without_a_gap(one: RequestRecord) -> RequestRecord:
    first, second, *rest = one.output_gaps_us
    return msgspec.structs.replace(one, output_gaps_us=(first + second, *rest))


def test_failed_requests_are_not_trusted() -> None:
    records, known = run()
    broken = msgspec.structs.replace(
        records[0], outcome=Outcome.FAILED, error_kind=ErrorKind.TRUNCATED, upstream_id=None
    )
    found = reading([broken, *records[1:]], known, since_ns=0)
    assert (found.requests, found.failed, found.trusted) == (9, 1, False)
