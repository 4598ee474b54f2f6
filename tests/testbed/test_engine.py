"""The step model: what a request costs alone and in company, and what bounds it."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_locust.testbed.engine import Engine, QueueFullError, Sequence, Token
from glm_locust.testbed.presets import EngineSpec, TaskProfile

SPEC = EngineSpec(
    name="test",
    step_s=0.010,
    sequence_s=0.001,
    image_token_s=0.0002,
    text_token_s=0.0001,
    tasks={},
    other=TaskProfile(prepare_s=0.0, output_tokens=1),
    chunk_tokens=100,
    max_batch=4,
    max_waiting=100,
    preparers=2,
)


def sequence(*, prepare_s: float = 0.0, image: int = 0, text: int = 50, output: int = 5) -> Sequence:
    return Sequence(prepare_s, image, text, output)


def drain(engine: Engine) -> list[Token]:
    tokens: list[Token] = []
    while (at_s := engine.next_s) is not None:
        tokens += engine.advance(at_s)
    return tokens


def times(tokens: list[Token], of: Sequence) -> list[float]:
    return [token.at_s for token in tokens if token.sequence is of]


def ttft(tokens: list[Token], of: Sequence) -> float:
    return times(tokens, of)[0] - of.arrived_s


@pytest.mark.parametrize(
    ("request_", "ttft_s", "why"),
    [
        (sequence(text=50), 0.010 + 50 * 0.0001, "one step, and what its tokens cost"),
        (sequence(text=100), 0.010 + 100 * 0.0001, "a chunk that is just full is one step"),
        (sequence(text=101), 2 * 0.010 + 101 * 0.0001, "one token more is a second step"),
        (sequence(image=100, text=50), 2 * 0.010 + 0.020 + 0.005, "image tokens have their own cost"),
        (sequence(image=300, text=50), 4 * 0.010 + 0.060 + 0.005, "three images' worth are three times that"),
        (sequence(prepare_s=0.3), 0.3 + 0.010 + 0.005, "the host's preparation comes first"),
    ],
)
def test_time_to_first_token_alone(request_: Sequence, ttft_s: float, why: str) -> None:
    request_ = replace(request_)
    engine = Engine(SPEC)
    engine.submit(request_, 7.0)
    assert ttft(drain(engine), request_) == pytest.approx(ttft_s), why


def test_decoding_alone_gives_one_token_a_step() -> None:
    engine = Engine(SPEC)
    alone = sequence(output=4)
    engine.submit(alone, 0.0)
    tokens = drain(engine)
    first = 0.015
    assert times(tokens, alone) == pytest.approx([first, first + 0.011, first + 0.022, first + 0.033])
    assert [token.index for token in tokens] == [0, 1, 2, 3]
    assert [token.last for token in tokens] == [False, False, False, True]
    assert engine.running == 0
    assert engine.next_s is None


def test_a_fuller_batch_decodes_slower_for_each_but_faster_for_all() -> None:
    def decode_gap_s(users: int) -> float:
        engine = Engine(SPEC)
        batch = [sequence(text=10, output=20) for _ in range(users)]
        for one in batch:
            engine.submit(one, 0.0)
        last = times(drain(engine), batch[0])
        return last[-1] - last[-2]

    assert decode_gap_s(1) == pytest.approx(0.011)
    assert decode_gap_s(4) == pytest.approx(0.014)
    assert 4 / decode_gap_s(4) > 1 / decode_gap_s(1)


def test_a_prefill_slows_the_decodes_that_share_its_steps() -> None:
    engine = Engine(SPEC)
    running = sequence(text=10, output=30)
    engine.submit(running, 0.0)
    engine.advance(0.1)
    engine.submit(sequence(image=200, text=50, output=2), 0.1)
    instants = times(drain(engine), running)
    gaps = sorted(b - a for a, b in itertools.pairwise(instants))
    assert gaps[0] == pytest.approx(0.011)
    assert gaps[-1] == pytest.approx(0.010 + 0.001 + 100 * 0.0002), "a full chunk of image tokens"


def test_who_finds_the_batch_full_waits_for_a_place() -> None:
    engine = Engine(SPEC)
    batch = [sequence(text=10, output=10) for _ in range(4)]
    late = sequence(text=10, output=1)
    for one in (*batch, late):
        engine.submit(one, 0.0)
    engine.advance(0.05)
    assert (engine.running, engine.waiting) == (4, 1)
    tokens = drain(engine)
    assert late.admitted_s == pytest.approx(times(tokens, batch[0])[-1])
    assert ttft(tokens, late) > ttft(tokens, batch[0])


def test_preparation_is_done_for_so_many_at_a_time() -> None:
    engine = Engine(SPEC)
    three = [sequence(prepare_s=1.0, output=1) for _ in range(3)]
    for one in three:
        engine.submit(one, 0.0)
    assert [one.ready_s for one in three] == [1.0, 1.0, 2.0]


def test_the_waiting_queue_is_bounded() -> None:
    engine = Engine(replace(SPEC, max_waiting=2))
    engine.submit(sequence(prepare_s=1.0), 0.0)
    engine.submit(sequence(prepare_s=1.0), 0.0)
    with pytest.raises(QueueFullError, match="2 requests are waiting"):
        engine.submit(sequence(), 0.0)
    engine.advance(1.0)
    engine.submit(sequence(), 1.0)


def test_a_full_kv_cache_keeps_others_out() -> None:
    engine = Engine(replace(SPEC, kv_tokens=100))
    big = sequence(text=60, output=20)
    next_ = sequence(text=30, output=1)
    engine.submit(big, 0.0)
    engine.submit(next_, 0.0)
    engine.advance(0.05)
    assert (engine.running, engine.waiting) == (1, 1)
    assert 0.6 < engine.kv_usage <= 0.8
    drain(engine)
    assert next_.emitted == 1
    assert engine.kv_usage == 0


@pytest.mark.parametrize(
    "at_s", [0.0, 0.5, 1.02, 1.2], ids=["preparing", "still preparing", "prefill", "decode"]
)
def test_an_aborted_request_frees_its_place_and_says_no_more(at_s: float) -> None:
    engine = Engine(replace(SPEC, max_batch=1))
    leaving = sequence(prepare_s=1.0, text=300, output=1000)
    staying = sequence(prepare_s=1.0, text=10, output=3)
    engine.submit(leaving, 0.0)
    engine.submit(staying, 0.0)
    engine.advance(at_s)
    said = leaving.emitted
    engine.abort(leaving)
    engine.abort(leaving)
    tokens = drain(engine)
    assert leaving.emitted == said
    assert len(times(tokens, staying)) == 3
    assert (engine.running, engine.waiting) == (0, 0)


def test_aborting_one_that_waits() -> None:
    engine = Engine(replace(SPEC, max_batch=1))
    running, waiting = sequence(output=50), sequence()
    engine.submit(running, 0.0)
    engine.submit(waiting, 0.0)
    engine.advance(0.1)
    engine.abort(waiting)
    assert (engine.running, engine.waiting) == (1, 0)
    assert times(drain(engine), waiting) == []


requests = st.lists(
    st.tuples(
        st.floats(0, 2), st.floats(0, 0.2), st.integers(0, 700), st.integers(1, 60), st.integers(1, 20)
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(requests, st.lists(st.floats(0, 5), max_size=20))
def test_tokens_do_not_depend_on_when_the_caller_looks(
    arrivals: list[tuple[float, float, int, int, int]], looks: list[float]
) -> None:
    def run(extra: list[float]) -> list[tuple[int, int, float]]:
        engine = Engine(SPEC)
        made: list[Sequence] = []
        tokens: list[Token] = []
        events = sorted(
            [(at, shape) for at, *shape in arrivals] + [(at, None) for at in extra], key=lambda e: e[0]
        )
        for at_s, shape in events:
            tokens += engine.advance(at_s)
            if shape is not None:
                made.append(Sequence(*shape))
                engine.submit(made[-1], at_s)
        tokens += drain(engine)
        return [(made.index(t.sequence), t.index, t.at_s) for t in tokens]

    seldom = run([])
    assert run(looks) == seldom
    assert [at for _, _, at in seldom] == sorted(at for _, _, at in seldom)
    wanted = sorted((at, shape[-1]) for at, *shape in arrivals)
    assert len(seldom) == sum(count for _, count in wanted), "every token comes exactly once"
