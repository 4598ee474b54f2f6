"""The comparison's plan: every pair complete, every order balanced, nothing asked twice."""

import itertools
from collections import Counter, defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_locust.errors import ConfigError
from glm_locust.plan import Block, Ticket, deal, endless_blocks, make_plan
from glm_locust.records import Phase

PATHS = ("api", "web", "web-jupyter")
TASKS = ("describe", "ocr", "chart", "compare", "reason")

some_paths = st.sets(st.sampled_from(PATHS), min_size=1).map(sorted)
some_tasks = st.sets(st.sampled_from(TASKS), min_size=1).map(sorted)
some_levels = st.sets(st.integers(1, 24), min_size=1, max_size=3).map(sorted)
plans = st.fixed_dictionaries(
    {
        "paths": some_paths,
        "tasks": some_tasks,
        "repeats": st.integers(1, 25),
        "levels": some_levels,
        "warmup": st.integers(0, 2),
        "seed": st.integers(0, 2**32),
    }
)


def tickets_of(blocks: tuple[Block, ...] | list[Block]) -> list[Ticket]:
    return [ticket for block in blocks for ticket in block.tickets]


@given(plans, st.sampled_from(["blocks", "mixed"]))
def test_tickets_are_numbered_without_gap_and_agree_with_their_block(arguments, design):
    blocks = make_plan(**arguments, design=design)
    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert [ticket.index for ticket in tickets_of(blocks)] == list(range(len(tickets_of(blocks))))
    for block in blocks:
        assert block.tickets
        assert set(block.paths) == {ticket.path for ticket in block.tickets}
        assert {(t.block, t.phase, t.level) for t in block.tickets} == {
            (block.index, block.phase, block.level)
        }


@given(plans)
def test_every_task_is_asked_equally_often_on_every_path_at_every_level(arguments):
    counts = Counter(
        (t.path, t.task, t.level) for t in tickets_of(make_plan(**arguments)) if t.phase is Phase.MEASURE
    )
    assert counts == {
        (path, task, level): max(arguments["repeats"], level)
        for path, task, level in itertools.product(
            arguments["paths"], arguments["tasks"], arguments["levels"]
        )
    }


@given(plans)
def test_each_repeat_of_a_task_is_a_pair_over_all_paths_within_one_round(arguments):
    blocks = [b for b in make_plan(**arguments) if b.phase is Phase.MEASURE]
    width = len(arguments["paths"])
    for first in range(0, len(blocks), width):
        round_ = blocks[first : first + width]
        assert sorted(path for block in round_ for path in block.paths) == arguments["paths"]
        orders = {tuple((t.task, t.repeat) for t in block.tickets) for block in round_}
        assert len(orders) == 1
    keys = Counter((t.level, t.path, t.task, t.repeat) for t in tickets_of(blocks))
    assert set(keys.values()) == {1}


@given(plans)
def test_rounds_are_as_even_as_possible(arguments):
    sizes = defaultdict(list)
    for block in make_plan(**arguments):
        if block.phase is Phase.MEASURE:
            sizes[block.level, block.paths].append(len(block.tickets) // len(arguments["tasks"]))
    for (level, _), repeats in sizes.items():
        assert max(repeats) - min(repeats) <= 1
        wanted = max(arguments["repeats"], level)
        per_user = 4 if level > 1 else 1
        fits = wanted * len(arguments["tasks"]) // (per_user * level)
        assert len(repeats) == max(1, min(fits, 10, wanted))


@given(plans)
def test_warm_up_comes_first_with_one_block_for_each_path(arguments):
    blocks = make_plan(**arguments)
    warm = [block for block in blocks if block.phase is Phase.WARMUP]
    assert list(blocks[: len(warm)]) == warm
    if not arguments["warmup"]:
        assert not warm
        return
    assert sorted(path for block in warm for path in block.paths) == arguments["paths"]
    top = max(arguments["levels"])
    assert {(block.level, len(block.tickets)) for block in warm} == {(top, arguments["warmup"] * top)}


@pytest.mark.parametrize("paths", [PATHS[:2], PATHS])
def test_each_path_comes_equally_often_at_each_place_of_a_round(paths):
    width = len(paths)
    blocks = list(itertools.islice(endless_blocks(paths, TASKS, [2], warmup=0, seed=3), 2 * width * width))
    order = [block.paths[0] for block in blocks]
    for start in (0, width * width):
        places = Counter((order[start + i], i % width) for i in range(width * width))
        assert set(places.values()) == {1}
        assert len(places) == width * width


def test_seed_decides_the_order_and_nothing_else():
    def plan(seed):
        return make_plan(PATHS, TASKS, 10, [1, 4], warmup=1, seed=seed)

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
    assert Counter((t.path, t.task, t.level) for t in tickets_of(plan(1))) == Counter(
        (t.path, t.task, t.level) for t in tickets_of(plan(2))
    )


@given(
    some_tasks,
    st.integers(1, 20),
    st.integers(1, 20),
    st.floats(0.05, 0.95),
    st.sampled_from([("api", "web"), PATHS]),
)
def test_mixed_block_keeps_the_share_of_web_requests(tasks, repeats, level, share, paths):
    (block,) = make_plan(paths, tasks, repeats, [level], warmup=0, seed=7, design="mixed", web_share=share)
    total = max(repeats, level) * len(paths)
    assert len(block.tickets) == total * len(tasks)
    web = sum(ticket.path != "api" for ticket in block.tickets) / len(tasks)
    assert web == max(len(paths) - 1, min(round(total * share), total - 1))
    on_each = Counter(t.path for t in block.tickets if t.path != "api")
    assert max(on_each.values()) - min(on_each.values()) <= len(tasks)
    assert set(Counter((t.path, t.task, t.repeat) for t in block.tickets).values()) == {1}


def test_mixed_block_is_even_from_its_beginning_to_its_end():
    (block,) = make_plan(("api", "web"), TASKS, 40, [4], warmup=0, seed=7, design="mixed", web_share=0.25)
    for size in range(20, len(block.tickets), 20):
        web = sum(ticket.path == "web" for ticket in block.tickets[:size])
        assert abs(web - size / 4) <= 2


@pytest.mark.parametrize("design", ["blocks", "mixed"])
def test_endless_plan_goes_on_with_new_indices_and_new_repeats(design):
    blocks = list(itertools.islice(endless_blocks(PATHS, TASKS, [2, 3], warmup=1, seed=5, design=design), 40))
    tickets = tickets_of(blocks)
    assert [ticket.index for ticket in tickets] == list(range(len(tickets)))
    keys = Counter((t.phase, t.level, t.path, t.task, t.repeat) for t in tickets)
    assert set(keys.values()) == {1}
    assert {block.level for block in blocks if block.phase is Phase.MEASURE} == {2, 3}
    repeats = sorted(
        t.repeat
        for t in tickets
        if (t.path, t.task, t.level) == ("web", "ocr", 2) and t.phase is Phase.MEASURE
    )
    assert repeats == list(range(len(repeats)))


@given(plans, st.integers(1, 9), st.sampled_from(["blocks", "mixed"]))
def test_dealing_loses_nothing_and_follows_the_users(arguments, workers, design):
    for block in make_plan(**arguments, design=design):
        shares = deal(block, workers)
        assert len(shares) == workers
        assert sum(share.level for share in shares) == block.level
        levels = [share.level for share in shares]
        assert max(levels) - min(levels) <= 1
        dealt = [ticket for share in shares for ticket in share.tickets]
        assert sorted(dealt, key=lambda ticket: ticket.index) == list(block.tickets)
        for share in shares:
            assert list(share.tickets) == sorted(share.tickets, key=lambda ticket: ticket.index)
            exact = len(block.tickets) * share.level / block.level
            assert abs(len(share.tickets) - exact) <= share.level


def test_two_workers_both_load_both_paths_of_a_mixed_block():
    (block,) = make_plan(("api", "web"), TASKS, 20, [2], warmup=0, seed=7, design="mixed")
    for share in deal(block, 2):
        paths = Counter(ticket.path for ticket in share.tickets)
        assert 30 <= paths["web"] <= 70
        assert sum(paths.values()) == 100


def test_tickets_travel_as_plain_messages():
    (ticket, *_) = make_plan(PATHS, TASKS, 1, [1], warmup=0, seed=1)[0].tickets
    assert msgspec.convert(msgspec.to_builtins(ticket), Ticket) == ticket


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paths": ()}, "paths: expected at least one"),
        ({"tasks": ()}, "tasks: expected at least one"),
        ({"levels": ()}, "levels: expected at least one"),
        ({"levels": (1, 0)}, "levels: expected at least 1 user, got 0"),
        ({"levels": (2, 2)}, "levels: 2, 2 names one twice"),
        ({"repeats": 0}, "repeats: expected at least 1, got 0"),
        ({"warmup": -1}, "warmup: expected 0 or more, got -1"),
        ({"design": "zigzag"}, "design: expected blocks or mixed, got 'zigzag'"),
        ({"web_share": 1.0}, "web_share: expected a number between 0 and 1, both excluded, got 1.0"),
    ],
)
def test_what_cannot_be_planned_is_named(change, message):
    arguments = {"paths": PATHS, "tasks": TASKS, "repeats": 1, "levels": (1,), "warmup": 0, "seed": 1}
    with pytest.raises(ConfigError) as caught:
        make_plan(**(arguments | change))
    assert str(caught.value) == message
