"""On the master: which workers make the arrivals of a block, from which arrival on."""

from collections.abc import Iterator, Mapping, Sequence

from glm_locust.arrivals import Share, shares_of


class Splits:
    """The splits of one sequence so far. Instants are the master's, in ns."""

    def __init__(self, instants: Iterator[int], start_ns: int, workers: Sequence[str]) -> None:
        self.start_ns = start_ns
        self._instants = enumerate(instants)
        self._ahead = next(self._instants, None)
        self._passed = 0
        """How many arrivals come before the next split."""
        self._splits: list[tuple[int, tuple[str, ...]]] = [(0, tuple(workers))]

    @property
    def workers(self) -> tuple[str, ...]:
        """Who makes the arrivals from the last split on."""
        return self._splits[-1][1]

    def __len__(self) -> int:
        return len(self._splits)

    def shares(self, worker: str) -> tuple[Share, ...]:
        """What this worker is to make."""
        return shares_of(worker, self._splits)

    def change(self, workers: Sequence[str], from_ns: int, gone_ns: Mapping[str, int]) -> dict[str, int]:
        """Split anew from the first arrival at or after `from_ns`.

        `gone_ns` says since when workers that are no longer in it make none. Returns how many
        arrivals nobody makes because of that, by worker.
        """
        missed: dict[str, int] = {}
        while self._ahead is not None and self.start_ns + self._ahead[1] < from_ns:
            index, instant = self._ahead
            worker = self._maker(index)
            if worker is not None and worker in gone_ns and self.start_ns + instant >= gone_ns[worker]:
                missed[worker] = missed.get(worker, 0) + 1
            self._ahead = next(self._instants, None)
            self._passed = index + 1
        self._splits.append((self._passed, tuple(workers)))
        return missed

    def _maker(self, index: int) -> str | None:
        for first, workers in reversed(self._splits):
            if first <= index:
                return workers[(index - first) % len(workers)] if workers else None
        return None
