"""Conductor and desks: a plan is played whole, whatever the channel does to their messages."""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event
import pytest

from glm_locust.conductor import Conductor, Course, Desk
from glm_locust.plan import Block, Ticket, make_plan
from glm_locust.transport.channel import Handler, Loopback
from glm_locust.workload.prompt import Prompt


class Wire:
    """Channels between one master and named workers; a script says what happens to each message.

    The script gets kind and worker and answers with the delays after which the message arrives:
    none (lost), one, or several (doubled).
    """

    def __init__(self, script: Callable[[str, str], list[float]]) -> None:
        self.script = script
        self.up: dict[str, list[Handler]] = defaultdict(list)
        self.down: dict[str, dict[str, list[Handler]]] = defaultdict(lambda: defaultdict(list))
        self.cut: set[str] = set()

    def carry(self, handlers: list[Handler], kind: str, worker: str, data: dict[str, Any]) -> None:
        if worker not in self.cut:
            for delay_s in self.script(kind, worker):
                for handler in handlers:
                    gevent.spawn_later(delay_s, handler, worker, data)


class MasterEnd:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        for name in [worker] if worker else list(self.wire.down):
            self.wire.carry(self.wire.down[name][kind], kind, name, data)

    def on(self, kind: str, handler: Handler) -> None:
        self.wire.up[kind].append(handler)


class WorkerEnd:
    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.name = name

    def send(self, kind: str, data: dict[str, Any], worker: str | None = None) -> None:
        self.wire.carry(self.wire.up[kind], kind, self.name, data)

    def on(self, kind: str, handler: Handler) -> None:
        self.wire.down[self.name][kind].append(handler)


class Office:
    """Desks with users who ask nobody, and count how many of them are at it."""

    def __init__(self) -> None:
        self.asked: list[Ticket] = []
        self.active: set[int] = set()
        self.peak: Counter[int] = Counter()
        self.blocks_at_once = 0
        self.opened: list[frozenset[str]] = []
        self.greenlets: dict[Desk, list[Any]] = defaultdict(list)
        self._names = itertools.count()

    def hire(self, desk: Desk, users: int, pause_s: float = 0.001) -> None:
        for _ in range(users):
            self.greenlets[desk].append(gevent.spawn(self._work, desk, next(self._names), pause_s))

    def dismiss(self) -> None:
        for desk, greenlets in self.greenlets.items():
            desk.quit()
            gevent.joinall(greenlets, timeout=5, raise_error=True)

    def _work(self, desk: Desk, name: int, pause_s: float) -> None:
        try:
            while (errand := desk.take(name, self.opened.append)) is not None:
                try:
                    self.active.add(errand.ticket.index)
                    block = errand.ticket.block
                    working = [t for t in [*self.asked, errand.ticket] if t.index in self.active]
                    self.blocks_at_once = max(self.blocks_at_once, len({t.block for t in working}))
                    self.asked.append(errand.ticket)
                    self.peak[block] = max(self.peak[block], len(self.active))
                    gevent.sleep(pause_s)
                finally:
                    self.active.discard(errand.ticket.index)
                    desk.done(errand)
        finally:
            desk.leave(name)


def prompt_of(ticket: Ticket) -> Prompt:
    return Prompt(task=ticket.task, text=f"question {ticket.index}")


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office()
    yield office
    office.dismiss()


def plan(levels: list[int], repeats: int = 4, design: str = "blocks") -> tuple[Block, ...]:
    return make_plan(
        paths=["api", "web"],
        tasks=["describe", "ocr"],
        repeats=repeats,
        levels=levels,
        warmup=1,
        seed=7,
        design=design,
    )


def tickets_of(blocks: tuple[Block, ...]) -> list[Ticket]:
    return [ticket for block in blocks for ticket in block.tickets]


def play(conductor: Conductor, blocks: tuple[Block, ...], users: int, gather_s: float = 5.0) -> Course:
    with gevent.Timeout(30):
        return conductor.play("run", blocks, users, gather_s)


@pytest.mark.parametrize("design", ["blocks", "mixed"])
def test_one_process_plays_every_ticket_once_at_its_level(
    office: Office, design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_locust.conductor.desk.STAGGER_S", 0.0)
    channel = Loopback()
    conductor = Conductor(channel)
    office.hire(Desk(channel, prompt_of), users=5)
    blocks = plan([1, 2, 5], design=design)
    course = play(conductor, blocks, users=5)
    assert course == Course(finished=True, blocks=len(blocks))
    assert sorted(t.index for t in office.asked) == [t.index for t in tickets_of(blocks)]
    assert {b.index: b.level for b in blocks} == dict(office.peak)
    assert office.blocks_at_once == 1
    channel.close()


def test_users_open_the_paths_of_a_block_before_its_clock_starts(office: Office) -> None:
    channel = Loopback()
    opened_at_start: list[int] = []
    conductor = Conductor(channel, lambda block: opened_at_start.append(len(office.opened)))
    office.hire(Desk(channel, prompt_of), users=3)
    blocks = plan([3])
    play(conductor, blocks, users=3)
    assert opened_at_start == [3 * (n + 1) for n in range(len(blocks))]
    assert set(office.opened) == {frozenset({"api"}), frozenset({"web"})}
    channel.close()


@pytest.mark.parametrize("seed", range(3))
def test_lost_doubled_and_late_messages_change_nothing(
    office: Office, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_locust.conductor.conductor.REPEAT_S", 0.02)
    monkeypatch.setattr("glm_locust.conductor.desk.HEARTBEAT_S", 0.02)
    rng = random.Random(seed)

    def script(_kind: str, _worker: str) -> list[float]:
        return [rng.uniform(0, 0.03) for _ in range(rng.choice([0, 0, 1, 1, 1, 2]))]

    wire = Wire(script)
    conductor = Conductor(MasterEnd(wire))
    for number in range(3):
        office.hire(Desk(WorkerEnd(wire, f"w{number}"), prompt_of), users=2)
    blocks = plan([1, 4, 6], repeats=3)
    course = play(conductor, blocks, users=6)
    assert course.finished
    assert course.notes == []
    assert sorted(t.index for t in office.asked) == [t.index for t in tickets_of(blocks)]
    assert all(office.peak[b.index] <= b.level for b in blocks)
    assert office.blocks_at_once == 1


def test_a_lost_worker_is_noted_and_the_rest_of_the_plan_is_played(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_locust.conductor.conductor.REPEAT_S", 0.05)
    monkeypatch.setattr("glm_locust.conductor.desk.HEARTBEAT_S", 0.05)
    wire = Wire(lambda _kind, _worker: [0.0])
    first = plan([4])[2].index

    def cut(block: Block) -> None:
        if block.index == first:
            wire.cut.add("w1")

    conductor = Conductor(MasterEnd(wire), cut, lost_after_s=0.4)
    for number in range(2):
        office.hire(Desk(WorkerEnd(wire, f"w{number}"), prompt_of), users=2)
    blocks = plan([4])
    course = play(conductor, blocks, users=4)
    assert course.finished
    assert course.blocks == len(blocks)
    lost = [note for note in course.notes if "lost with worker w1" in note]
    assert lost
    assert lost[0].startswith(f"block {first}: ")
    assert f"block {first + 1}: 2 users instead of 4" in course.notes
    after = [t.index for t in tickets_of(blocks) if t.block > first]
    assert {t.index for t in office.asked} >= set(after)


def test_fewer_users_than_the_level_are_noted(office: Office) -> None:
    channel = Loopback()
    office.hire(Desk(channel, prompt_of), users=2)
    conductor = Conductor(channel)
    course = play(conductor, plan([4], repeats=2)[-1:], users=4, gather_s=0.1)
    assert course.finished
    assert course.notes == ["block 3: 2 users instead of 4"]
    channel.close()


def test_stop_ends_the_play_and_a_closed_desk_sends_users_home(office: Office) -> None:
    channel = Loopback()
    started = gevent.event.Event()
    conductor = Conductor(channel, lambda block: started.set())
    desk = Desk(channel, prompt_of)
    office.hire(desk, users=2, pause_s=0.05)
    playing = gevent.spawn(conductor.play, "run", plan([2], repeats=50), 2)
    assert started.wait(5)
    desk.close()
    conductor.stop()
    with gevent.Timeout(5):
        course = playing.get()
        gevent.joinall(office.greenlets[desk], raise_error=True)
    assert not course.finished
    assert not office.active
    channel.close()


def test_a_second_run_begins_at_the_same_desks(office: Office) -> None:
    channel = Loopback()
    conductor = Conductor(channel)
    desk = Desk(channel, prompt_of)
    blocks = plan([2], repeats=2)
    for run in ("first", "second"):
        desk.open()
        office.hire(desk, users=2)
        with gevent.Timeout(10):
            assert conductor.play(run, blocks, 2).finished
        desk.close()
        gevent.joinall(office.greenlets[desk], timeout=5, raise_error=True)
    assert len(office.asked) == 2 * len(tickets_of(blocks))
    channel.close()


def test_a_prompt_that_cannot_be_made_is_noted_and_not_waited_for(office: Office) -> None:
    def broken(ticket: Ticket) -> Prompt:
        if ticket.index == 0:
            raise ValueError("no such image")
        return prompt_of(ticket)

    channel = Loopback()
    office.hire(Desk(channel, broken), users=2)
    blocks = plan([2])
    course = play(Conductor(channel), blocks, users=2)
    assert course.finished
    assert sorted(t.index for t in office.asked) == [t.index for t in tickets_of(blocks)][1:]
    assert course.notes == ["block 0: 1 requests were lost with worker local"]
    channel.close()


def test_a_plan_without_anybody_breaks_off(office: Office) -> None:
    channel = Loopback()
    desk = Desk(channel, prompt_of)
    course = play(Conductor(channel), plan([2]), users=2, gather_s=0.1)
    assert course == Course(deserted=True, notes=["block 0: no worker was left to play it"])
    desk.quit()
    channel.close()
