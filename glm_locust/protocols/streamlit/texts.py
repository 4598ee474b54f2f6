"""The texts on a page: which elements hold one, and what in it is not text at all."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from glm_locust.protocols.streamlit.page import Node

BODIES = {"markdown": "body", "text": "body", "html": "body", "json": "body", "code": "code_text"}
WEAK_KINDS = frozenset(("alert", "text_area"))
"""Some apps put their answer into a coloured box or a field; most put something else there."""

_CAPTION, _DIVIDER = 2, 5
_INFO, _SUCCESS = 3, 4
_CURSORS = "".join(map(chr, range(0x2580, 0x25A0))) + "|_●•▮▯…" + " \t\r\n\v\f\u00a0"
_LONGEST_TAG = 200
_MOST_TAGS = 20
"""So many closing tags at the end of a text are looked behind; each costs a copy of the text."""
_PLEADING = re.compile(
    r"\bplease (add|enter|type|provide|upload|select|choose|insert|set|log|wait|fill)"
    r"|^(add|enter|type|provide|upload|select|choose|insert) (a|an|the|your|some)\b"
    r"|api.?key|\b(upload(ed)?|cleared|saved|copied|loaded) success"
    r"|请先?(输入|上传|选择|填写|提供|登录|设置)|成功[!！。]?$",
    re.IGNORECASE,
)
_SHORT = 160
_HEADING = re.compile(r"#{1,6} [^\n]*|(\*\*|__)[^\n]{1,80}(\*\*|__):?|[^\n]{1,60}[:：]")
_FIGURE = re.compile(
    r"[^\n]{0,30}?(took|elapsed|time|latency|tokens?|speed|耗时|用时|时间)[^\n]{0,30}\d[^\n]{0,20}"
    r"|\W*\d[\d.,:]*\s*(s|ms|sec|secs|seconds|min|tokens|%|秒)?\W*",
    re.IGNORECASE,
)


def answer_text(node: Node) -> str | None:
    """The text of an element that could be an answer by its kind; None for all others."""
    if node.is_block:
        return None
    content = node.content
    if node.kind == "markdown" and (content.is_caption or content.element_type in (_CAPTION, _DIVIDER)):
        return None
    if node.kind == "alert":
        pleads = len(content.body) <= _SHORT and _PLEADING.search(content.body)
        return None if pleads or content.format not in (_INFO, _SUCCESS) else str(content.body)
    if node.kind == "text_area":
        return str(content.value if content.set_value else content.default)
    body = BODIES.get(node.kind)
    return None if body is None else str(getattr(content, body))


def shown_text(node: Node) -> str:
    """What a person reads there; empty for blocks and elements without text of their own."""
    if node.is_block or node.kind == "text_area":
        return ""
    return str(getattr(node.content, "body", "") or getattr(node.content, "code_text", ""))


def texts_of(nodes: Iterable[Node], read: Callable[[Node], str | None] = answer_text) -> Counter[str]:
    """How often each text (without cursor) stands on a page, whoever wrote it."""
    texts = (read(node) for node in nodes)
    return Counter(text for text in (without_cursor(t) for t in texts if t) if text)


def without_cursor(text: str) -> str:
    """The text without what an app puts at its end while it grows: cursor, blanks, closing tags."""
    for _ in range(_MOST_TAGS):
        text = text.rstrip(_CURSORS)
        if not text.endswith(">"):
            return text
        start = text.rfind("<", max(0, len(text) - _LONGEST_TAG))
        if start < 0 or not (text[start + 1 : start + 2].isalpha() or text[start + 1 : start + 2] == "/"):
            return text
        text = text[:start]
    return text


def only_accompanies(text: str) -> bool:
    """Whether a text looks like a heading, a duration or a count: what stands beside answers."""
    text = text.strip()
    return len(text) <= _SHORT and bool(_HEADING.fullmatch(text) or _FIGURE.fullmatch(text))
