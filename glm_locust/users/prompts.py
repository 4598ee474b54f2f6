"""Prompts made ahead of time, so that no clock ever waits for an image to be encoded."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import gevent
import gevent.event

from glm_locust.workload.prompt import Prompt

INDICES_PER_WORKER = 100_000
"""Workers number their prompts in ranges of this size, so that no two workers ask the same."""


def indices_of(worker_index: int) -> Iterator[int]:
    """The prompt indices of one worker; all its users draw from one such iterator."""
    return itertools.count(max(0, worker_index) * INDICES_PER_WORKER)


@dataclass(frozen=True, slots=True)
class _Pending:
    task: str
    prompt: "gevent.event.AsyncResult[Prompt]"


class PromptSource:
    """One user's prompts: while one is being asked, the next is drawn, in a native thread."""

    def __init__(
        self,
        make: Callable[[str, int], Prompt],
        tasks: Sequence[str],
        indices: Iterator[int],
        rng: random.Random,
        *,
        ahead: bool = True,
    ) -> None:
        """`make(task, index)` must be safe in threads; `tasks` are what to choose from.

        Without `ahead` a prompt is drawn when it is asked for: for users who do not ask as soon as
        they have it.
        """
        self._make = make
        self._tasks = tasks
        self._indices = indices
        self._rng = rng
        self._ahead = ahead
        self._next = self._begin(self._choose()) if ahead else None

    def take(self, task: str | None = None) -> Prompt:
        """The next prompt, of this task or of a random one; waits where it was not foreseen.

        Raises ConfigError for an unknown task.
        """
        pending = self._next
        if pending is None or (task is not None and task != pending.task):
            pending = self._begin(self._choose() if task is None else task)
        prompt: Prompt = pending.prompt.get()
        self._next = self._begin(self._choose() if task is None else task) if self._ahead else None
        return prompt

    def _choose(self) -> str:
        return self._rng.choice(self._tasks)

    def _begin(self, task: str) -> _Pending:
        pool = gevent.get_hub().threadpool
        return _Pending(task, pool.spawn(self._make, task, next(self._indices)))
