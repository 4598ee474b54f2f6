"""Pauses of the machine itself: when a process that has nothing to do is woken up late.

A virtual machine shares its cores with others and gets them late at times; nothing inside it shows that
but its clock. One process pinned to each core sleeps 2 ms again and again and notes when it slept longer.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

LATE_MS = 20.0
_SLEEPER = """
import os, sys, time
core, late_ns = int(sys.argv[1]), int(sys.argv[2])
os.sched_setaffinity(0, {core})
print("ready", flush=True)
while os.getppid() == int(sys.argv[3]):
    begun_ns = time.time_ns()
    time.sleep(0.002)
    ended_ns = time.time_ns()
    if ended_ns - begun_ns - 2_000_000 > late_ns:
        print(begun_ns + 2_000_000, ended_ns, flush=True)
"""


@dataclass
class Pauses:
    """What the sleepers noted; complete once `watched` is over."""

    seconds: float = 0.0
    noted: list[tuple[int, int]] = field(default_factory=list)

    def during_ms(self, begun_ns: int, ended_ns: int) -> float:
        """The longest pause that touched this span, in ms; 0 for none."""
        touching = [end - begin for begin, end in self.noted if begin < ended_ns and end > begun_ns]
        return max(touching, default=0) / 1e6

    def __str__(self) -> str:
        worst_ms = max((end - begin for begin, end in self.noted), default=0) / 1e6
        return (
            f"{len(self.noted)} pauses of {LATE_MS:.0f} ms or more in {self.seconds:.0f} s, "
            f"the longest {worst_ms:.0f} ms"
        )


@contextlib.contextmanager
def watched() -> Iterator[Pauses]:
    """Note the machine's pauses meanwhile."""
    pauses = Pauses()
    begun = time.monotonic()
    arguments = (str(int(LATE_MS * 1e6)), str(os.getpid()))
    sleepers = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", _SLEEPER, str(core), *arguments], stdout=subprocess.PIPE, text=True
        )
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        for sleeper in sleepers:
            assert sleeper.stdout is not None
            sleeper.stdout.readline()
        yield pauses
    finally:
        pauses.seconds = time.monotonic() - begun
        for sleeper in sleepers:
            sleeper.terminate()
            out, _ = sleeper.communicate()
            pauses.noted += [(int(begin), int(end)) for begin, end in map(str.split, out.splitlines())]
