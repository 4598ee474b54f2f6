"""FragmentTimer: when the page's self-refreshing fragments (`run_every`) are due to run again."""

from collections.abc import Iterator
from typing import Final

from glm_locust.protocols import Command
from glm_locust.protocols.streamlit import StreamlitSession

NEVER_NS: Final = 2**63 - 1


class FragmentTimer:
    """A browser's timers: one for each such fragment, begun when the page announces it."""

    def __init__(self, session: StreamlitSession, *, active: bool) -> None:
        self._session = session
        self._active = active
        self._due_ns: dict[str, int] = {}

    def next_ns(self, now_ns: int) -> int:
        """When the next fragment is due."""
        if not self._active:
            return NEVER_NS
        wanted = self._session.auto_reruns
        self._due_ns = {
            fragment: self._due_ns.get(fragment, now_ns + int(interval_s * 1e9))
            for fragment, interval_s in wanted.items()
        }
        return min(self._due_ns.values(), default=NEVER_NS)

    def take_due(self, now_ns: int) -> Iterator[Command]:
        """What to send for the fragments that are due by now."""
        for fragment, due_ns in self._due_ns.items():
            if due_ns <= now_ns:
                # A timer that was held up does not make up for what it missed.
                self._due_ns[fragment] = now_ns + int(self._session.auto_reruns[fragment] * 1e9)
                yield from self._session.auto_rerun(fragment)
