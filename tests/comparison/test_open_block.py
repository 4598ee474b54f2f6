"""Open loop: arrivals come when they are due, whoever makes them, and what nobody is free for is dropped."""

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from glm_locust.arrivals import Renewal, instants_ns
from glm_locust.conductor import Conductor, Course, Desk, Errand
from glm_locust.plan import Block, Ticket
from glm_locust.records import Phase
from glm_locust.transport.channel import Loopback
from glm_locust.transport.clock import now_ns
from glm_locust.workload.prompt import Prompt
from tests.comparison.test_conductor import MasterEnd, Wire, WorkerEnd

RATE = 50.0
TIMETABLE = instants_ns(Renewal(RATE, 0))
DEADLINE_S = 30


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glm_locust.conductor.open_block.LEAD_NS", 150_000_000)
    monkeypatch.setattr("glm_locust.conductor.open_block.REPEAT_S", 0.05)
    monkeypatch.setattr("glm_locust.conductor.open_block.GONE_AFTER_S", 0.5)
    monkeypatch.setattr("glm_locust.conductor.desk.HEARTBEAT_S", 0.05)


class Crowd:
    """Users of several desks who take what is due, and note it."""

    def __init__(self, answer_s: float = 0.005) -> None:
        self.answer_s = answer_s
        self.took: list[tuple[str, Errand, int]] = []
        self.dropped: list[str] = []
        self.greenlets: list[Any] = []
        self.desks: dict[str, Desk] = {}
        self.of_desk: dict[str, list[Any]] = defaultdict(list)

    def hire(self, name: str, desk: Desk, users: int) -> None:
        self.desks[name] = desk
        desk.open(TIMETABLE, lambda: self.dropped.append(name))
        for number in range(users):
            self.of_desk[name].append(gevent.spawn(self._work, name, desk, (name, number)))

    def kill(self, name: str) -> None:
        gevent.killall(self.of_desk[name])
        self.desks[name].quit()

    def go_home(self) -> None:
        for name in self.desks:
            self.kill(name)

    def indices(self) -> list[int]:
        return sorted(errand.ticket.index for _, errand, _ in self.took)

    def _work(self, name: str, desk: Desk, user: Any) -> None:
        try:
            while (errand := desk.take(user)) is not None:
                self.took.append((name, errand, now_ns()))
                gevent.sleep(self.answer_s)
                desk.done(errand)
        finally:
            desk.leave(user)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.go_home()


def tickets(count: int) -> tuple[Ticket, ...]:
    return tuple(Ticket(n, 0, "api", "ocr", Phase.MEASURE, None, n) for n in range(count))


def block(count: int) -> Block:
    return Block(0, Phase.MEASURE, 4, ("api",), tickets(count), draw="7")


def prompt_of(ticket: Ticket) -> Prompt:
    return Prompt(ticket.task, f"question {ticket.index}")


def play(conductor: Conductor, *blocks: Block, users: int) -> Course:
    with gevent.Timeout(DEADLINE_S):
        return conductor.play("run", blocks, users, 5.0, TIMETABLE)


def test_each_ticket_is_handed_out_when_it_is_due(crowd: Crowd) -> None:
    wire = Wire(lambda _kind, _worker: [0.0])
    conductor = Conductor(MasterEnd(wire))
    for name in ("w1", "w2", "w3"):
        crowd.hire(name, Desk(WorkerEnd(wire, name), prompt_of), users=4)
    assert play(conductor, block(40), users=12) == Course(finished=True, blocks=1)
    assert crowd.indices() == list(range(40))
    assert not crowd.dropped
    due = sorted((errand.ticket.index, errand.scheduled_ns) for _, errand, _ in crowd.took)
    gaps = {b - a for (_, a), (_, b) in itertools.pairwise(due)}
    assert gaps == {int(1e9 / RATE)}, "one sequence, whoever makes it"
    assert all(at_ns >= errand.scheduled_ns for _, errand, at_ns in crowd.took)
    assert all(errand.prompt == prompt_of(errand.ticket) for _, errand, _ in crowd.took)
    assert {errand.ticket.index % 3 for name, errand, _ in crowd.took if name == "w2"} == {1}


def test_what_nobody_is_free_for_is_dropped(crowd: Crowd) -> None:
    channel = Loopback()
    crowd.answer_s = 0.5
    crowd.hire("local", Desk(channel, prompt_of), users=2)
    course = play(Conductor(channel), block(40), users=2)
    assert course == Course(finished=True, blocks=1)
    assert len(crowd.took) + len(crowd.dropped) == 40
    assert 2 <= len(crowd.took) <= 6
    late_ns = [at_ns - errand.scheduled_ns for _, errand, at_ns in crowd.took]
    assert max(late_ns) < 0.4e9, "nothing was queued for those who were busy"
    channel.close()


def test_a_worker_that_goes_is_taken_over(crowd: Crowd) -> None:
    wire = Wire(lambda _kind, _worker: [0.0])
    conductor = Conductor(MasterEnd(wire))
    for name in ("w1", "w2"):
        crowd.hire(name, Desk(WorkerEnd(wire, name), prompt_of), users=4)
    playing = gevent.spawn(play, conductor, block(150), users=8)
    with gevent.Timeout(DEADLINE_S):
        while len(crowd.took) < 30:
            gevent.sleep(0.01)
    wire.cut.add("w1")
    crowd.kill("w1")
    course = playing.get()
    assert course.finished
    made = crowd.indices()
    assert len(made) == len(set(made)), "nothing is made twice"
    assert made[-50:] == list(range(100, 150)), "the others took over the whole rate"
    lost = 150 - len(made)
    assert 0 < lost < 60
    assert any("lost with worker w1" in note for note in course.notes)
    told = [int(note.split()[2]) for note in course.notes if note.endswith("requests were not made")]
    assert told == [pytest.approx(lost, abs=5)], "the last second of a killed worker is not known"


def test_a_worker_that_comes_gets_its_share(crowd: Crowd) -> None:
    wire = Wire(lambda _kind, _worker: [0.0])
    conductor = Conductor(MasterEnd(wire))
    crowd.hire("w1", Desk(WorkerEnd(wire, "w1"), prompt_of), users=4)
    playing = gevent.spawn(play, conductor, block(100), users=4)
    with gevent.Timeout(DEADLINE_S):
        while len(crowd.took) < 20:
            gevent.sleep(0.01)
    crowd.hire("w2", Desk(WorkerEnd(wire, "w2"), prompt_of), users=4)
    assert playing.get() == Course(finished=True, blocks=1)
    assert crowd.indices() == list(range(100))
    by_newcomer = [errand.ticket.index for name, errand, _ in crowd.took if name == "w2"]
    assert len(by_newcomer) >= 25


@pytest.mark.parametrize("seed", range(2))
def test_lost_doubled_and_late_messages(crowd: Crowd, seed: int) -> None:
    rng = random.Random(seed)

    def script(_kind: str, _worker: str) -> list[float]:
        return [rng.uniform(0, 0.03) for _ in range(rng.choice([0, 1, 1, 1, 2]))]

    wire = Wire(script)
    conductor = Conductor(MasterEnd(wire))
    for name in ("w1", "w2"):
        crowd.hire(name, Desk(WorkerEnd(wire, name), prompt_of), users=4)
    assert play(conductor, block(40), users=8).finished
    assert crowd.indices() == list(range(40))


def test_without_tickets_arrivals_come_until_the_end(crowd: Crowd) -> None:
    channel = Loopback()
    crowd.hire("local", Desk(channel, lambda _ticket: None), users=3)
    conductor = Conductor(channel)
    endless = Block(0, Phase.MEASURE, 3, (), (), draw="7")
    playing = gevent.spawn(play, conductor, endless, users=3)
    with gevent.Timeout(DEADLINE_S):
        while len(crowd.took) < 30:
            gevent.sleep(0.01)
        crowd.desks["local"].close()
        conductor.stop()
        assert not playing.get().finished
        gevent.joinall(crowd.of_desk["local"], raise_error=True)
    assert crowd.indices() == list(range(len(crowd.took)))
    assert {errand.prompt for _, errand, _ in crowd.took} == {None}
    channel.close()
