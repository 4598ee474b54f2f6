"""Signals: what a person would perceive of an answer, as protocols report it.

On a page several texts can grow at once and only the end tells which was the answer; so `Output`
names a candidate and `Ended` chooses one. On the API path the candidates are "reasoning" and
"answer", and "opening" where the first characters could still become a `<think>` tag.
"""

from dataclasses import dataclass
from enum import StrEnum

from glm_locust.records.record import ErrorKind, Outcome


class TextKind(StrEnum):
    """What a piece of generated text is."""

    REASONING = "reasoning"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the question: response head read, or script run started."""

    http_status: int | None = None
    upstream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """Non-empty text of one candidate has grown by `chars` characters.

    A later one of the same candidate may correct `kind`: the last one holds for all of its text.
    """

    candidate: str
    kind: TextKind
    chars: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The server's own token counts; each may be missing."""

    prompt_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The request is over as far as the protocol can tell.

    `answer` names the candidate that was the answer, `text` is its whole text. A failed end may
    still have one: what had arrived.
    """

    outcome: Outcome
    kind: ErrorKind | None = None
    detail: str | None = None
    answer: str | None = None
    text: str = ""
    streamed: bool = True
    upstream_id: str | None = None


Signal = Accepted | Output | Usage | Ended
