"""Which of the texts on a page is the answer.

While the script runs nobody can tell, so every text that could be it becomes a *candidate*: a chain
of texts at one path, each extending the one before. A text that does not extend its predecessor
starts a new candidate at the same path ("Thinking..." and then the answer). Only at the end is one
chosen. Never candidates: the question's own echo, captions and dividers, what a user's chat message,
an expander, `st.status`, a popover or a dialog holds, spinners, toasts, alerts, headings, and history
(texts that stood on the page before; a script sends all of them again).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from glm_locust.protocols.streamlit.page import SIDEBAR, Node, Page, Path
from glm_locust.protocols.streamlit.rule import Rule
from glm_locust.records import Output, TextKind

_BODIES = {"markdown": "body", "text": "body", "html": "body", "json": "body", "code": "code_text"}
_CAPTION, _DIVIDER = 2, 5
_USERS = frozenset(("user", "human"))
_SET_ASIDE = frozenset(("expandable", "popover", "dialog"))
_CURSORS = "".join(map(chr, range(0x2580, 0x25A0))) + "|_●•▮▯…" + " \t\r\n\v\f\u00a0"
_LONGEST_TAG = 200
_ECHO_FRAME = 40
"""Outside chat messages an echo may stand in a frame of so many characters: "You asked: ..."."""
_SAME_START = 24


@dataclass(slots=True, eq=False)
class Candidate:
    """One chain of growing text at one path."""

    name: str
    path: Path
    order: int
    in_chat_message: bool
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
    include_set_aside: bool = False
    """Look for the answer in expanders, popovers and dialogs too."""
    candidates: list[Candidate] = field(default_factory=list)
    _latest: dict[Path, Candidate] = field(default_factory=dict)
    _history: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.question = without_cursor(self.question)

    def run_started(self) -> None:
        """A script run of this question begins: it will send all earlier texts again."""
        self._history = self.before + Counter(candidate.text for candidate in self.candidates)

    def take(self, page: Page, node: Node) -> Output | None:
        """Take an element that the run has sent; returns by how much which candidate grew."""
        shown = answer_text(node)
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
        if self._set_aside(blocks) or self._is_echo(text, in_chat_message):
            return None
        if self._history[text] > 0:
            self._history[text] -= 1
            return None
        order = len(self.candidates)
        name = f"{'.'.join(map(str, node.path))}#{order}"
        begun = Candidate(name, node.path, order, in_chat_message, text, shown)
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
        return answer_rule(page).order(c for c in self.candidates if c.order not in absorbed)

    def _set_aside(self, blocks: Iterable[Node]) -> bool:
        for block in blocks:
            if block.kind == "chat_message" and block.content.name.casefold() in _USERS:
                return True
            aside = block.kind in _SET_ASIDE and not self.include_set_aside
            if aside and block.path not in self.open_containers:
                return True
        return False

    def _is_echo(self, text: str, in_chat_message: bool) -> bool:
        # Inside a chat message that is not the user's, a frame around the question is an answer's.
        if in_chat_message or not self.question:
            return text == self.question
        return self.question in text and len(text) <= len(self.question) + _ECHO_FRAME


def answer_rule(page: Page) -> Rule[Candidate]:
    """Which candidate is taken for the answer, given the page as it stands at the end."""
    visible = texts_of(page)
    return Rule(
        (
            ("stands on the page at the end", lambda c: visible[without_cursor(c.shown)] == 0),
            ("is not in the sidebar", lambda c: c.path[:1] == (SIDEBAR,)),
            ("grew", lambda c: not c.grew),
            ("is in a chat message", lambda c: not c.in_chat_message),
            ("is longer", lambda c: -len(c.text)),
            ("came later", lambda c: -c.order),
        )
    )


def containers_around(page: Page, path: Path) -> frozenset[Path]:
    """The paths of the blocks that hold a widget."""
    return frozenset(block.path for block in page.ancestors(path))


def answer_text(node: Node) -> str | None:
    """The text of an element that could be an answer by its kind; None for all others."""
    if node.is_block or node.kind not in _BODIES:
        return None
    if node.kind == "markdown" and (
        node.content.is_caption or node.content.element_type in (_CAPTION, _DIVIDER)
    ):
        return None
    return str(getattr(node.content, _BODIES[node.kind]))


def texts_of(nodes: Iterable[Node]) -> Counter[str]:
    """How often each text (without cursor) stands on a page, whoever wrote it."""
    texts = (answer_text(node) for node in nodes)
    return Counter(text for text in (without_cursor(t) for t in texts if t) if text)


def without_cursor(text: str) -> str:
    """The text without what an app puts at its end while it grows: cursor, blanks, closing tags."""
    while True:
        text = text.rstrip(_CURSORS)
        if not text.endswith(">"):
            return text
        start = text.rfind("<", max(0, len(text) - _LONGEST_TAG))
        if start < 0 or not (text[start + 1 : start + 2].isalpha() or text[start + 1 : start + 2] == "/"):
            return text
        text = text[:start]


def _reformats(candidate: Candidate, successor: Candidate) -> bool:
    """Whether the successor shows the same text again in another form, as pages do at the end."""
    old, new = _letters(candidate.text), _letters(successor.text)
    if not old:
        return False
    start = old[:_SAME_START]
    return new.startswith(start) or (len(start) >= _SAME_START // 3 and start in new)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
