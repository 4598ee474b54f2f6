"""The plan of a comparison: which questions are asked on which path, in which order.

Paths are compared fairly when nothing but the path differs. So every round asks the same tasks in
the same order on each path, the order of the paths changes from round to round (a machine that
warms up or slows down then hurts all paths alike), and no two requests of a plan share a prompt.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glm_locust.errors import ConfigError
from glm_locust.records import PathId, Phase

DESIGNS = ("blocks", "mixed")
"""blocks: one path at a time. mixed: all paths at once."""

MAX_ROUNDS = 10
ROUND_QUESTIONS_PER_USER = 4
"""A block is worth its ramp and drain when each of its users asks about this many questions."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request to be made."""

    index: int
    """Unique in the plan; it is what makes the prompt differ from all others."""
    block: int
    path: str
    task: str
    phase: Phase
    level: int | None
    """None in an open loop, where nobody plans how many ask at once."""
    repeat: int
    """0, 1, 2, ... within phase, level, path and task; equal repeats of two paths are a pair."""


@dataclass(frozen=True, slots=True)
class Block:
    """Tickets to be worked off by `level` users, before the next block begins."""

    index: int
    phase: Phase
    level: int
    paths: tuple[str, ...]
    tickets: tuple[Ticket, ...]
    draw: str | None = None
    """Open loop: the seed of the arrivals at which the tickets are due, one each; without tickets,
    users choose themselves what to ask. None: closed loop."""


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """How the questions of a plan are asked when they are due, not when a user is free."""

    users: int
    """How many there are to ask."""
    questions_per_block: int
    """About; a block begins its arrivals anew, so many short ones would mostly begin and end."""
    rows: tuple[str, ...] = ()
    """The tasks of a trace's requests, in order: a block on each path is the whole trace."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker does of a block."""

    level: int
    tickets: tuple[Ticket, ...]


def make_plan(
    paths: Sequence[str],
    tasks: Sequence[str],
    repeats: int,
    levels: Sequence[int],
    *,
    warmup: int,
    seed: int,
    design: str = "blocks",
    web_share: float = 0.5,
    open_loop: OpenLoop | None = None,
) -> tuple[Block, ...]:
    """Plan a comparison that asks every task on every path max(repeats, level) times per level.

    In an open loop there are no levels but for the warm-up, and every task is asked `repeats` times.

    `warmup` is the number of warm-up questions per user and path. In the mixed design the level's
    total is the same, divided so that `web_share` of it goes to the paths other than `api`, in
    equal parts. Raises ConfigError for what cannot be planned.
    """
    _check(paths, tasks, levels, warmup=warmup, design=design, web_share=web_share)
    if repeats < 1:
        raise ConfigError(f"repeats: expected at least 1, got {repeats}")
    planner = _Planner(tuple(paths), tuple(tasks), seed)
    blocks = list(planner.warmup(warmup, max(levels)))
    if open_loop is not None:
        rounds = repeats * len(tasks) // open_loop.questions_per_block
        rounds = max(1, min(rounds, MAX_ROUNDS, repeats)) if not open_loop.rows else 1
        edges = [repeats * i // rounds for i in range(rounds + 1)]
        for start, stop in itertools.pairwise(edges):
            blocks += planner.open_round(open_loop, range(start, stop), design, web_share)
        return tuple(blocks)
    for level in levels:
        count = max(repeats, level)
        if design == "mixed":
            blocks.append(planner.mixed(level, range(count), web_share))
            continue
        # One user has no ramp and no drain.
        per_user = ROUND_QUESTIONS_PER_USER if level > 1 else 1
        rounds = count * len(tasks) // (per_user * level)
        rounds = max(1, min(rounds, MAX_ROUNDS, count))
        edges = [count * i // rounds for i in range(rounds + 1)]
        for start, stop in itertools.pairwise(edges):
            blocks += planner.round(level, range(start, stop))
    return tuple(blocks)


def endless_blocks(
    paths: Sequence[str],
    tasks: Sequence[str],
    levels: Sequence[int],
    *,
    warmup: int,
    seed: int,
    design: str = "blocks",
    web_share: float = 0.5,
    open_loop: OpenLoop | None = None,
) -> Iterator[Block]:
    """Warm-up, then rounds over all levels without end: for runs that are limited by time."""
    _check(paths, tasks, levels, warmup=warmup, design=design, web_share=web_share)
    planner = _Planner(tuple(paths), tuple(tasks), seed)
    if open_loop is not None:
        warm = planner.warmup(warmup, max(levels))
        return itertools.chain(warm, _endless_open(planner, open_loop, design, web_share))
    return _endless(planner, levels, warmup, design, web_share)


def deal(block: Block, workers: int) -> list[Share]:
    """Split a block over `workers` as evenly as users allow; levels add up to the block's level.

    Tickets follow the users: a worker without users gets none, and one with twice the users gets
    twice the tickets, give or take one per user.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    hands: list[list[Ticket]] = [[] for _ in range(workers)]
    for place, ticket in enumerate(block.tickets):
        lap, seat = divmod(place, block.level)
        # Each lap begins one seat further on, or a pattern in the tickets that is as long as the
        # table would hand one worker always the same path.
        hands[(seat + lap) % block.level % workers].append(ticket)
    return [Share(len(range(worker, block.level, workers)), tuple(hand)) for worker, hand in enumerate(hands)]


def _check(
    paths: Sequence[str],
    tasks: Sequence[str],
    levels: Sequence[int],
    *,
    warmup: int,
    design: str,
    web_share: float,
) -> None:
    for name, values in (("paths", paths), ("tasks", tasks), ("levels", levels)):
        if not values:
            raise ConfigError(f"{name}: expected at least one")
        if len(set(values)) != len(values):
            raise ConfigError(f"{name}: {', '.join(map(str, values))} names one twice")
    if min(levels) < 1:
        raise ConfigError(f"levels: expected at least 1 user, got {min(levels)}")
    if warmup < 0:
        raise ConfigError(f"warmup: expected 0 or more, got {warmup}")
    if design not in DESIGNS:
        raise ConfigError(f"design: expected {' or '.join(DESIGNS)}, got {design!r}")
    if not 0 < web_share < 1:
        raise ConfigError(f"web_share: expected a number between 0 and 1, both excluded, got {web_share}")


def _endless(
    planner: "_Planner", levels: Sequence[int], warmup: int, design: str, web_share: float
) -> Iterator[Block]:
    yield from planner.warmup(warmup, max(levels))
    done = dict.fromkeys(levels, 0)
    for level in itertools.cycle(levels):
        count = -(-ROUND_QUESTIONS_PER_USER * level // len(planner.tasks))
        repeats = range(done[level], done[level] + count)
        done[level] += count
        if design == "mixed":
            yield planner.mixed(level, repeats, web_share)
        else:
            yield from planner.round(level, repeats)


def _endless_open(planner: "_Planner", open_loop: OpenLoop, design: str, web_share: float) -> Iterator[Block]:
    count = -(-open_loop.questions_per_block // len(planner.tasks))
    for start in itertools.count(0, count):
        yield from planner.open_round(open_loop, range(start, start + count), design, web_share)


class _Planner:
    """Numbers blocks and tickets while it makes them."""

    def __init__(self, paths: tuple[str, ...], tasks: tuple[str, ...], seed: int) -> None:
        self.paths = paths
        self.tasks = tasks
        self._seed = seed
        self._order = self._shuffled(paths, "paths")
        self._rounds = 0
        self._block = itertools.count()
        self._index = itertools.count()
        self._draw = itertools.count()
        self._repeats: dict[tuple[int | None, str], int] = {}

    def warmup(self, per_user: int, level: int) -> Iterator[Block]:
        """One block per path, or none at all."""
        count = per_user * level
        if not count:
            return
        repeats = range(-(-count // len(self.tasks)))
        questions = self._questions(Phase.WARMUP, level, repeats)[:count]
        for path in self._order:
            yield self._make(Phase.WARMUP, level, [(path, *question) for question in questions])

    def round(self, level: int, repeats: range) -> Iterator[Block]:
        """The same questions on one path after the other."""
        questions = self._questions(Phase.MEASURE, level, repeats)
        for path in self._next_order():
            yield self._make(Phase.MEASURE, level, [(path, *question) for question in questions])

    def open_round(
        self, open_loop: OpenLoop, repeats: range, design: str, web_share: float
    ) -> Iterator[Block]:
        """The same questions at the same instants on one path after the other, or on all at once."""
        draw = f"{self._seed}/{next(self._draw)}"
        if design == "mixed":
            questions = self._mixed(None, repeats, web_share)
            yield self._make(Phase.MEASURE, None, questions, users=open_loop.users, draw=draw)
            return
        asked = self._questions(Phase.MEASURE, None, repeats)
        if open_loop.rows:
            asked = [(task, row) for row, task in enumerate(open_loop.rows)]
        for path in self._next_order():
            questions = [(path, *question) for question in asked]
            yield self._make(Phase.MEASURE, None, questions, users=open_loop.users, draw=draw)

    def mixed(self, level: int, repeats: range, web_share: float) -> Block:
        """One block in which all paths are asked at once, evenly interleaved."""
        return self._make(Phase.MEASURE, level, self._mixed(level, repeats, web_share))

    def _mixed(self, level: int | None, repeats: range, web_share: float) -> list[tuple[str, str, int]]:
        rng = random.Random(f"{self._seed}/mixed/{level}/{repeats.start}")
        placed: list[tuple[float, str, str, int]] = []
        for path, count in _split(self.paths, len(repeats), web_share).items():
            start = self._repeats.get((level, path), 0)
            self._repeats[level, path] = start + count
            questions = self._questions(Phase.MEASURE, level, range(start, start + count))
            # One ticket somewhere in each of as many equal slots: even, yet without a pattern.
            placed += [
                ((slot + rng.random()) / len(questions), path, task, repeat)
                for slot, (task, repeat) in enumerate(questions)
            ]
        return [(path, task, repeat) for _, path, task, repeat in sorted(placed)]

    def _questions(self, phase: Phase, level: int | None, repeats: range) -> list[tuple[str, int]]:
        return [
            (task, repeat)
            for repeat in repeats
            for task in self._shuffled(self.tasks, f"{phase}/{level}/{repeat}")
        ]

    def _next_order(self) -> tuple[str, ...]:
        """Each path comes once at each place in as many rounds as there are paths; then mirrored."""
        turn, self._rounds = self._rounds, self._rounds + 1
        lap, shift = divmod(turn, len(self.paths))
        order = self._order[shift:] + self._order[:shift]
        return order[::-1] if lap % 2 else order

    def _make(
        self,
        phase: Phase,
        level: int | None,
        questions: Sequence[tuple[str, str, int]],
        *,
        users: int = 1,
        draw: str | None = None,
    ) -> Block:
        block = next(self._block)
        tickets = tuple(
            Ticket(next(self._index), block, path, task, phase, level, repeat)
            for path, task, repeat in questions
        )
        asked = {ticket.path for ticket in tickets}
        paths = tuple(path for path in self.paths if path in asked)
        return Block(block, phase, users if level is None else level, paths, tickets, draw)

    def _shuffled(self, items: tuple[str, ...], purpose: str) -> tuple[str, ...]:
        return tuple(random.Random(f"{self._seed}/{purpose}").sample(items, len(items)))


def _split(paths: tuple[str, ...], count: int, web_share: float) -> dict[str, int]:
    """How often each task is asked on each path of a mixed block; at least once on each."""
    web = [path for path in paths if path != PathId.API]
    api = [path for path in paths if path == PathId.API]
    total = count * len(paths)
    on_web = total * bool(web)
    if web and api:
        on_web = max(len(web), min(round(total * web_share), total - 1))
    shares = {path: len(range(place, on_web, len(web))) for place, path in enumerate(web)}
    return shares | dict.fromkeys(api, total - on_web)
