"""Pace: by when a question to a page must have got how far."""

from dataclasses import dataclass

from glm_locust.config import Deadlines
from glm_locust.records import ErrorKind
from glm_locust.transport.clock import now_ns
from glm_locust.transport.deadline import overdue_line


@dataclass(slots=True)
class Pace:
    """What a question is due at: its script's start, its submission, its first and next text, its end.

    `awaits_run` tells whether the page's script has yet to start since the last message to it.
    """

    deadlines: Deadlines
    sent_ns: int | None = None
    submitted_ns: int | None = None
    last_text_ns: int | None = None
    _told_ns: int = 0

    def sent(self, at_ns: int, *, submits: bool) -> None:
        """A message goes off."""
        self._told_ns = at_ns
        if self.sent_ns is None:
            self.sent_ns = at_ns
        if submits:
            self.submitted_ns = at_ns

    def due(self, *, awaits_run: bool) -> int:
        """The instant from which on the answer is overdue; before the submission that is overdue itself."""
        limits = self.deadlines
        start_ns = self.submitted_ns or self.sent_ns or now_ns()
        due_ns = start_ns + _ns(limits.total_s)
        if awaits_run:
            due_ns = min(due_ns, self._told_ns + _ns(limits.script_start_s))
        if self.last_text_ns is None:
            return min(due_ns, start_ns + _ns(limits.first_output_s))
        return min(due_ns, self.last_text_ns + _ns(limits.stall_s))

    def overdue(self, *, awaits_run: bool) -> tuple[ErrorKind, str]:
        """Which deadline passed, and the line that says so."""
        limits, now = self.deadlines, now_ns()
        start_ns = self.submitted_ns or self.sent_ns
        if start_ns is not None and now >= start_ns + _ns(limits.total_s):
            line = overdue_line("the answer did not end", limits.total_s, "total_s")
            return ErrorKind.TIMEOUT_TOTAL, line
        if awaits_run and now >= self._told_ns + _ns(limits.script_start_s):
            line = overdue_line("the page's script did not start", limits.script_start_s, "script_start_s")
            return ErrorKind.TIMEOUT_FIRST_OUTPUT, line
        if self.last_text_ns is None:
            late = "the upload was not done" if self.submitted_ns is None else "no text came"
            line = overdue_line(late, limits.first_output_s, "first_output_s")
            return ErrorKind.TIMEOUT_FIRST_OUTPUT, line
        return ErrorKind.TIMEOUT_STALL, overdue_line("no further text came", limits.stall_s, "stall_s")


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
