"""What a question found on a page, what it used, and why: told to people after its end."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glm_locust.errors import one_line
from glm_locust.protocols.streamlit.answer import answer_rule
from glm_locust.protocols.streamlit.page import Version
from glm_locust.protocols.streamlit.question import Question
from glm_locust.protocols.streamlit.rule import Item, Rule
from glm_locust.protocols.streamlit.session import StreamlitSession
from glm_locust.protocols.streamlit.widgets import (
    BUTTON_KIND,
    CHAT_RULE,
    TEXT_KINDS,
    TEXT_RULE,
    UPLOAD_KINDS,
    Widget,
    WidgetQueries,
    WidgetQuery,
    button_rule,
    upload_rule,
)

TEXT_LIMIT = 200
"""Characters shown of a candidate's text."""


@dataclass(frozen=True, slots=True)
class WidgetUse:
    """One widget of the page."""

    kind: str
    label: str
    key: str | None
    disabled: bool
    used_for: tuple[str, ...]
    """Of prompt, images and submit; empty: ignored, so that it keeps the app's own value."""
    why: str
    """Which rule chose it; empty where it was ignored."""


@dataclass(frozen=True, slots=True)
class CandidateUse:
    """One text of the page that could have been the answer."""

    path: tuple[int, ...]
    chosen: bool
    why: str
    """What set the answer apart from this text, or from the next best."""
    updates: int
    chars: int
    text: str
    """Its beginning, in one line."""


@dataclass(frozen=True, slots=True)
class Account:
    """The page as one question met it."""

    version: Version
    widgets: tuple[WidgetUse, ...]
    candidates: tuple[CandidateUse, ...]
    lost_sessions: int


def account_of(session: StreamlitSession) -> Account:
    """The account of the last question, or of the page alone where none was asked."""
    question = session.last_question
    widgets = question.found if question is not None else session.widgets
    return Account(
        version=session.page.version,
        widgets=tuple(_widget_uses(widgets, question, session.queries)),
        candidates=tuple(_candidate_uses(question, session)) if question is not None else (),
        lost_sessions=session.lost_sessions,
    )


def _widget_uses(
    widgets: Sequence[Widget], question: Question | None, queries: WidgetQueries
) -> Iterator[WidgetUse]:
    uses = dict(_uses(question, widgets, queries)) if question is not None else {}
    late = [widget for widget in _used(question) if widget.id not in {w.id for w in widgets}]
    for widget in [*widgets, *late]:
        roles = uses.get(widget.id, [])
        yield WidgetUse(
            kind=widget.kind,
            label=one_line(widget.label, 60),
            key=one_line(widget.key, 60) if widget.key else None,
            disabled=widget.disabled,
            used_for=tuple(role for role, _ in roles),
            why="; ".join(dict.fromkeys(why for _, why in roles)),
        )


def _used(question: Question | None) -> list[Widget]:
    if question is None:
        return []
    used = [question.prompt_widget, *question.upload_widgets, question.submit_widget]
    return list({widget.id: widget for widget in used if widget is not None}.values())


def _uses(
    question: Question, widgets: Sequence[Widget], queries: WidgetQueries
) -> dict[str, list[tuple[str, str]]]:
    """Widget id -> (what it was used for, why it)."""
    prompt, uploads, submit = question.prompt_widget, question.upload_widgets, question.submit_widget
    uses: dict[str, list[tuple[str, str]]] = {}
    if prompt is not None:
        if queries.prompt.given:
            why = _named(queries.prompt)
        elif prompt.kind == "chat_input":
            rivals = [w for w in widgets if w.kind == "chat_input" and w.id != prompt.id]
            others = any(w.kind in TEXT_KINDS for w in widgets)
            why = _why(CHAT_RULE, prompt, rivals, "a chat input goes before text fields" if others else "")
        else:
            rivals = [w for w in widgets if w.kind in TEXT_KINDS and w.id != prompt.id]
            why = _why(TEXT_RULE, prompt, rivals)
        uses.setdefault(prompt.id, []).append(("prompt", why))
    for upload in uploads:
        if queries.upload.given:
            why = _named(queries.upload)
        elif prompt is not None and upload.id == prompt.id:
            why = "the prompt's own input takes files"
        else:
            used = {w.id for w in uploads}
            rivals = [w for w in widgets if w.kind in UPLOAD_KINDS and w.id not in used]
            why = _why(upload_rule(prompt), upload, rivals)
        uses.setdefault(upload.id, []).append(("images", why))
    if submit is not None:
        rule = button_rule(prompt, uploads)
        rivals = [w for w in widgets if w.kind == BUTTON_KIND and w.id != submit.id]
        why = _named(queries.submit) if queries.submit.given else _why(rule, submit, rivals)
        uses.setdefault(submit.id, []).append(("submit", why))
    return uses


def _named(query: WidgetQuery) -> str:
    return f"named by {query}"


def _why(rule: Rule[Item], chosen: Item, rivals: Iterable[Item], alone: str = "") -> str:
    best = rule.best(rivals)
    return (best is not None and rule.apart(chosen, best)) or alone or "the only one that fits"


def _candidate_uses(question: Question, session: StreamlitSession) -> Iterator[CandidateUse]:
    ranking = question.ranking()
    rule = answer_rule(session.page, session.answer_query)
    for candidate in ranking:
        chosen = candidate is ranking[0]
        if chosen:
            why = _why(rule, candidate, ranking[1:], "the only text that could be it")
        else:
            why = f"the answer {rule.apart(ranking[0], candidate)}"
        yield CandidateUse(
            path=candidate.path,
            chosen=chosen,
            why=why,
            updates=candidate.updates,
            chars=len(candidate.text),
            text=one_line(candidate.shown, TEXT_LIMIT),
        )
