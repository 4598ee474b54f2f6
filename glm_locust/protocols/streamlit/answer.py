"""Which of the texts on a page is the answer.

While the script runs nobody can tell, so every text that could be it becomes a *candidate*: a chain
of texts at one path, each extending the one before. A text that does not extend its predecessor
starts a new candidate at the same path ("Thinking..." and then the answer). Only at the end is one
chosen. Never candidates: the question's own echo, captions and dividers, what a user's chat message,
an expander, `st.status`, a popover or a dialog holds, spinners, toasts, warnings, headings, and history
(texts that stood on the page before; a script sends all of them again).
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.streamlit.page import SIDEBAR, Node, Page, Path
from glm_locust.protocols.streamlit.rule import Rule
from glm_locust.protocols.streamlit.texts import (
    WEAK_KINDS,
    answer_text,
    only_accompanies,
    texts_of,
    without_cursor,
)
from glm_locust.records import Output, TextKind

_USERS = frozenset(("user", "human"))
_SET_ASIDE = frozenset(("expandable", "popover", "dialog"))
_ECHO_FRAME = 40
"""Outside chat messages an echo may stand in a frame of so many characters: "You asked: ..."."""
_SAME_START = 24
_LOOKED_THROUGH = 20_000
"""Letters of a text in which the start of another one is looked for: some apps put a style sheet first."""
MAX_CHARS = 32 * 2**20
"""Of all candidates when they began: far more than an app writes that shows its answer in new forms."""
_NAMES = ("label", "title", "name")


@dataclass(frozen=True, slots=True)
class AnswerQuery:
    """Names the answer instead of leaving it to the rule: all that is given must match."""

    path: Path = ()
    """It stands at this path or below."""
    container: str = ""
    """It stands in a block of this label, title, name, key or kind."""
    index: int | None = None
    """In which one of several such blocks."""
    pattern: re.Pattern[str] | None = None
    """What is found in the text, or its first group, is the answer."""
    in_expander: bool = False
    """Expanders, `st.status`, popovers and dialogs may hold it, too."""

    @property
    def names_place(self) -> bool:
        """Whether it says where the answer stands."""
        return bool(self.path or self.container)

    def read(self, node: Node) -> str | None:
        """The text of an element, as far as it may be an answer."""
        text = answer_text(node)
        if text is None or self.pattern is None:
            return text
        found = self.pattern.search(text)
        if found is None:
            return None
        return found.group(1) if self.pattern.groups else found.group()

    def places(self, page: Page) -> list[Path] | None:
        """The paths that hold the answer; None for no restriction."""
        if not self.container:
            return [self.path] if self.path else None
        blocks = _blocks_called(page, self.container)
        if self.index is not None:
            blocks = blocks[self.index : self.index + 1]
        return [path for path in blocks if path[: len(self.path)] == self.path]


_ANY = AnswerQuery()


@dataclass(slots=True, eq=False)
class Candidate:
    """One chain of growing text at one path."""

    name: str
    path: Path
    order: int
    in_chat_message: bool
    weak: bool
    """In an element that seldom holds answers."""
    repeated: bool
    """The last answer once more, to the same question: perhaps it was only left standing."""
    text: str
    """The longest text so far, without cursor."""
    shown: str
    """The last text as the page shows it."""
    updates: int = 1
    successor: "Candidate | None" = None

    @property
    def grew(self) -> bool:
        """Whether the text came in more than one piece."""
        return self.updates > 1


@dataclass(slots=True)
class AnswerFinder:
    """Follows the texts of one question, from just before its submission."""

    question: str
    before: Counter[str]
    """How often each text stood on the page before."""
    open_containers: frozenset[Path] = frozenset()
    """Expanders, popovers and dialogs that hold the prompt's own widget: an answer may stand there."""
    query: AnswerQuery = _ANY
    last_answer: str = ""
    """The last answer, where it was one to the same question."""
    candidates: list[Candidate] = field(default_factory=list)
    _chars: int = 0
    _latest: dict[Path, Candidate] = field(default_factory=dict)
    _history: Counter[str] = field(default_factory=Counter)
    _echo: Path = ()
    """The chat message in which this run has sent the question itself."""

    def __post_init__(self) -> None:
        self.question = without_cursor(self.question)
        self.last_answer = without_cursor(self.last_answer)

    def run_started(self) -> None:
        """A script run of this question begins: it will send all earlier texts again."""
        self._history = self.before + Counter(candidate.text for candidate in self.candidates)
        self._echo = ()

    def take(self, page: Page, node: Node) -> Output | None:
        """Take an element that the run has sent; returns by how much which candidate grew."""
        shown = self.query.read(node)
        if shown is None:
            return None
        text = without_cursor(shown)
        if not text:
            return None
        candidate = self._latest.get(node.path)
        if candidate is not None and text.startswith(candidate.text):
            grown = len(text) - len(candidate.text)
            if not grown and self._history[text] > 0:
                self._history[text] -= 1
            candidate.text, candidate.shown = text, shown
            if not grown:
                return None
            candidate.updates += 1
            return Output(candidate.name, TextKind.ANSWER, grown)
        blocks = list(page.ancestors(node.path))
        in_chat_message = any(block.kind == "chat_message" for block in blocks)
        if self._is_echo(text, in_chat_message):
            self._echo = _message_of(blocks)
            return None
        if self._set_aside(blocks):
            return None
        in_history = self._history[text] > 0
        if in_history:
            self._history[text] -= 1
            if _follows(_message_of(blocks), self._echo):
                # The same words as an earlier answer, which a page with a short history no longer shows.
                in_history = False
            # A page that shows one answer at a time writes the same words to the same place.
            elif text != self.last_answer or in_chat_message:
                return None
        self._chars += len(text)
        if self._chars > MAX_CHARS:
            raise RemoteProtocolError(f"more than {MAX_CHARS} characters of texts that replace each other")
        order = len(self.candidates)
        name = f"{'.'.join(map(str, node.path))}#{order}"
        weak = node.kind in WEAK_KINDS
        begun = Candidate(name, node.path, order, in_chat_message, weak, in_history, text, shown)
        if candidate is not None:
            candidate.successor = begun
        self.candidates.append(begun)
        self._latest[node.path] = begun
        return Output(name, TextKind.ANSWER, len(text))

    def choose(self, page: Page) -> Candidate | None:
        """The candidate that was the answer, judged by what stands on the page at the end."""
        return next(iter(self.ranking(page)), None)

    def ranking(self, page: Page) -> list[Candidate]:
        """The candidates, best first; those that show another one's text in another form are left out."""
        absorbed: set[int] = set()
        for candidate in self.candidates:
            following = candidate.successor
            while following is not None and following.order not in absorbed:
                if not _reformats(candidate, following):
                    break
                absorbed.add(following.order)
                candidate.shown = following.shown
                following = following.successor
        absorbed |= self._shown_again(page, absorbed)
        places = self.query.places(page)
        rule = answer_rule(page, self.query)
        return rule.order(
            c
            for c in self.candidates
            if c.order not in absorbed
            and (places is None or any(c.path[: len(place)] == place for place in places))
        )

    def _shown_again(self, page: Page, absorbed: set[int]) -> set[int]:
        """Candidates that are the end of another one, elsewhere: that one gets their text.

        `st.rerun` right after an answer shows it again as history, and whole: the last pieces of its
        first showing may never have been sent.
        """
        texts = (self.query.read(node) for node in page)
        visible = {without_cursor(text): text for text in texts if text}
        again: set[int] = set()
        for candidate in self.candidates:
            if not candidate.grew or candidate.order in absorbed:
                continue
            candidate.shown = visible.get(without_cursor(candidate.shown), candidate.shown)
            for later in self.candidates[candidate.order + 1 :]:
                elsewhere = later.path != candidate.path and not later.grew and later.order not in absorbed
                if elsewhere and len(candidate.text) >= _SAME_START and later.text.startswith(candidate.text):
                    again.add(later.order)
                    candidate.shown = later.shown
        return again

    def stands(self, page: Page, candidate: Candidate) -> bool:
        """Whether its text can still be read on the page."""
        return texts_of(page, self.query.read)[without_cursor(candidate.shown)] > 0

    def _set_aside(self, blocks: Iterable[Node]) -> bool:
        for block in blocks:
            if block.kind == "chat_message" and block.content.name.casefold() in _USERS:
                return True
            aside = block.kind in _SET_ASIDE and not (self.query.in_expander or self.query.names_place)
            if aside and block.path not in self.open_containers:
                return True
        return False

    def _is_echo(self, text: str, in_chat_message: bool) -> bool:
        # Inside a chat message that is not the user's, a frame around the question is an answer's.
        if in_chat_message or not self.question:
            return text == self.question
        return self.question in text and len(text) <= len(self.question) + _ECHO_FRAME


def _message_of(blocks: Iterable[Node]) -> Path:
    """The chat message among the blocks around an element; empty where it is in none."""
    return next((block.path for block in blocks if block.kind == "chat_message"), ())


def _follows(message: Path, other: Path) -> bool:
    """Whether a chat message stands directly below the other one."""
    return bool(message and other) and message == (*other[:-1], other[-1] + 1)


def answer_rule(page: Page, query: AnswerQuery = _ANY) -> Rule[Candidate]:
    """Which candidate is taken for the answer, given the page as it stands at the end."""
    visible = texts_of(page, query.read)
    return Rule(
        (
            ("stands on the page at the end", lambda c: visible[without_cursor(c.shown)] == 0),
            ("is not in the sidebar", lambda c: c.path[:1] == (SIDEBAR,)),
            ("was not there before", lambda c: c.repeated),
            ("is no heading, duration or count", lambda c: only_accompanies(c.text)),
            ("grew", lambda c: not c.grew),
            ("is in no coloured box or text area", lambda c: c.weak),
            ("is in a chat message", lambda c: not c.in_chat_message),
            ("is longer", lambda c: -len(c.text)),
            ("came later", lambda c: -c.order),
        )
    )


def containers_around(page: Page, path: Path) -> frozenset[Path]:
    """The paths of the blocks that hold a widget."""
    return frozenset(block.path for block in page.ancestors(path))


def _blocks_called(page: Page, wanted: str) -> list[Path]:
    """The blocks with this key or name, else those whose name contains it, else those of this kind."""
    blocks = [node for node in page if node.is_block]

    def names(block: Node) -> list[str]:
        return [str(getattr(block.content, name, "")) for name in _NAMES]

    folded = wanted.casefold()
    return (
        [block.path for block in blocks if block.key == wanted or wanted in names(block)]
        or [block.path for block in blocks if any(folded in name.casefold() for name in names(block))]
        or [block.path for block in blocks if block.kind == wanted]
    )


def _reformats(candidate: Candidate, successor: Candidate) -> bool:
    """Whether the successor shows the same text again in another form, as pages do at the end."""
    start = _letters(candidate.text, _SAME_START)
    if not start:
        return False
    new = _letters(successor.text, _LOOKED_THROUGH)
    return new.startswith(start) or (len(start) >= _SAME_START // 3 and start in new)


def _letters(text: str, most: int) -> str:
    return "".join(itertools.islice(filter(str.isalnum, text), most))
