"""Which widget takes the prompt, which the images, and which button submits.

The rule, unless a query names the widget:

* prompt: a chat input; else a text area or text input. Main area before sidebar, then labels that
  speak of a question before those that do not and those of keys or system prompts last, then text
  area before text input, then the first in the document.
* images: the chat input that takes the prompt, if it accepts files; else a file uploader that takes
  images, in the prompt's form before others, main area before sidebar; else a camera input. A single
  uploader for one file cannot take two images, but two such uploaders can.
* submit: a chat input submits itself. Else a button: of the prompt's form, of the uploader's form,
  of no form; then labels that speak of sending before others and those of clearing last, then the
  primary button, then the first after the prompt in the document. A page with no button answers as
  soon as the text (or, where it takes no text, the upload) is there.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from glm_locust.errors import GlmLocustError, one_line
from glm_locust.protocols.streamlit.page import SIDEBAR, Node, Path
from glm_locust.protocols.streamlit.rule import Rule

TEXT_KINDS = ("text_area", "text_input")
UPLOAD_KINDS = ("file_uploader", "camera_input")
BUTTON_KIND = "button"
WIDGET_KINDS = frozenset(
    (
        *TEXT_KINDS,
        *UPLOAD_KINDS,
        BUTTON_KIND,
        "chat_input",
        "checkbox",
        "slider",
        "radio",
        "selectbox",
        "multiselect",
        "number_input",
        "button_group",
        "audio_input",
        "download_button",
        "component_instance",
        "time_input",
        "date_input",
        "date_time_input",
        "color_picker",
        "feedback",
        "menu_button",
    )
)
IMAGE_TYPES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", "png", "jpg", "jpeg", "image"))
SHOWN_WIDGETS = 12
PASSWORD_INPUT = 1
ACCEPTS_ONE_FILE = 1

_ASKING = re.compile(
    r"prompt|question|query|ask|message|instruction|chat|提示|问题|提问|输入|指令|请问", re.IGNORECASE
)
_NOT_ASKING = re.compile(
    r"system|\bkey\b|api.?key|\btokens?\b|password|secret|\burl\b|model name|系统|密钥|密码", re.IGNORECASE
)
_SENDING = re.compile(
    r"generat|submit|send|ask|run|analy[sz]|describ|answer|predict|start|infer|go\b|chat|recogni[sz]|"
    r"summari[sz]|translat|search|compar|explain|extract|classif|detect|process|"
    r"提交|发送|生成|分析|提问|运行|开始|识别|推理|回答|总结|翻译|搜索|对比",
    re.IGNORECASE,
)
_NOT_SENDING = re.compile(
    r"clear|reset|delete|remove|new chat|log ?out|log ?in|\bsign\b|stop|cancel|download|copy|refresh|rerun|"
    r"\bsave\b|\bload\b|"
    r"清空|清除|重置|删除|停止|取消|下载|复制|刷新|登录|退出|保存",
    re.IGNORECASE,
)


class PageError(GlmLocustError):
    """The page does not offer what the question needs; the text is one line."""


@dataclass(frozen=True, slots=True)
class WidgetQuery:
    """Names a widget: all that is given must match, `index` counts what is left."""

    kind: str | None = None
    label: str | None = None
    key: str | None = None
    index: int = 0
    name: str | None = None
    """The key or the label."""

    @property
    def given(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.kind or self.label or self.key or self.index or self.name)

    def __str__(self) -> str:
        told = ("name", "kind", "label", "key", "index")
        named = [(name, getattr(self, name) or None) for name in told]
        return ", ".join(f"{name} {value!r}" for name, value in named if value is not None)


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget on the page, seen alike whatever its kind."""

    node: Node

    @property
    def kind(self) -> str:
        """Streamlit's name of the element."""
        return self.node.kind

    @property
    def id(self) -> str:
        """Streamlit's own identifier; differs between versions and changes with the app's parameters."""
        return self.node.id

    @property
    def key(self) -> str | None:
        """The app's `key=`."""
        return self.node.key

    @property
    def label(self) -> str:
        """The label, or the placeholder of a widget without one."""
        content = self.node.content
        return str(getattr(content, "label", "") or getattr(content, "placeholder", ""))

    @property
    def form_id(self) -> str:
        """The form around it; empty for none."""
        return str(getattr(self.node.content, "form_id", ""))

    @property
    def disabled(self) -> bool:
        """Whether a person could not use it now."""
        return bool(getattr(self.node.content, "disabled", False))

    @property
    def path(self) -> Path:
        """Its place in the document."""
        return self.node.path

    @property
    def longest_text(self) -> int:
        """How many characters it takes; 0 for no limit."""
        return int(getattr(self.node.content, "max_chars", 0))

    @property
    def in_main(self) -> bool:
        """In the main area, the bar at the bottom or a dialog, not the sidebar."""
        return self.path[:1] != (SIDEBAR,)

    @property
    def takes_files(self) -> int:
        """How many files it takes at once: 0, 1, or a large number."""
        if self.kind == "chat_input":
            accept = self.node.content.accept_file
            return 0 if accept == 0 else 1 if accept == ACCEPTS_ONE_FILE else 1000
        if self.kind == "file_uploader":
            return 1000 if self.node.content.multiple_files else 1
        return 1 if self.kind == "camera_input" else 0

    @property
    def takes_images(self) -> bool:
        """Whether its list of file types lets images through."""
        if self.kind == "chat_input":
            types: Sequence[str] = self.node.content.file_type
        elif self.kind == "file_uploader":
            types = self.node.content.type
        else:
            return self.kind == "camera_input"
        return not types or any(name.lower() in IMAGE_TYPES for name in types)

    def __str__(self) -> str:
        parts = [self.kind, repr(one_line(self.label, 40))]
        if self.key:
            parts.append(f"key {one_line(self.key, 40)!r}")
        if self.disabled:
            parts.append("disabled")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class WidgetQueries:
    """The widgets that a user of this library names instead of leaving them to the rule."""

    prompt: WidgetQuery = field(default_factory=WidgetQuery)
    upload: WidgetQuery = field(default_factory=WidgetQuery)
    submit: WidgetQuery = field(default_factory=WidgetQuery)


def widgets_of(nodes: Iterable[Node]) -> list[Widget]:
    """The widgets among the nodes of a page, in the order of the document."""
    return [Widget(node) for node in nodes if not node.is_block and node.kind in WIDGET_KINDS]


def listed(widgets: Sequence[Widget]) -> str:
    """The widgets in one line, for messages to people."""
    shown = "; ".join(str(widget) for widget in widgets[:SHOWN_WIDGETS])
    more = f"; and {len(widgets) - SHOWN_WIDGETS} more" if len(widgets) > SHOWN_WIDGETS else ""
    return (shown + more) or "none"


def prompt_widget(widgets: Sequence[Widget], query: WidgetQuery) -> Widget | None:
    """The widget that takes the prompt; None on a page without one."""
    if query.given:
        return _named(widgets, query, "prompt")
    chats = [w for w in widgets if w.kind == "chat_input"]
    if chats:
        return CHAT_RULE.best(chats)
    texts = [w for w in widgets if w.kind in TEXT_KINDS and not _is_password(w)]

    return TEXT_RULE.best(texts)


def upload_widgets(
    widgets: Sequence[Widget], query: WidgetQuery, prompt: Widget | None, images: int
) -> list[Widget]:
    """The widgets that take the images, in order; one takes all, or each takes one.

    Raises PageError where the page cannot take that many.
    """
    if images == 0:
        return []
    if query.given:
        chosen = _named(widgets, query, "upload")
        candidates = [chosen]
    elif prompt is not None and prompt.takes_files and prompt.takes_images:
        candidates = [prompt]
    else:
        candidates = upload_rule(prompt).order(
            w for w in widgets if w.kind in UPLOAD_KINDS and w.takes_images and not w.disabled
        )
    for widget in candidates:
        if widget.takes_files >= images:
            return [widget]
    if candidates and len(candidates) >= images and candidates[0].kind != "chat_input":
        return candidates[:images]
    wanted = "an image" if images == 1 else f"{images} images"
    raise PageError(f"no widget takes {wanted}; widgets on the page: {listed(widgets)}")


def submit_button(
    widgets: Sequence[Widget], query: WidgetQuery, prompt: Widget | None, uploads: Sequence[Widget]
) -> Widget | None:
    """The button that sends the question, perhaps disabled; None on a page without one."""
    if query.given:
        return _named(widgets, query, "submit")
    best = button_rule(prompt, uploads).best(w for w in widgets if w.kind == BUTTON_KIND)
    if best is None or (_form_rank(best, prompt, uploads) >= 2 and _only_clears(best)):
        return None
    return best


def _speaks_of_a_question(widget: Widget) -> int:
    text = f"{widget.label} {widget.key or ''}"
    return -1 if _NOT_ASKING.search(text) else 1 if _ASKING.search(text) else 0


CHAT_RULE: Rule[Widget] = Rule(
    (
        ("can be used", lambda w: w.disabled),
        ("is not in the sidebar", lambda w: not w.in_main),
        ("comes first", lambda w: w.path),
    )
)
"""Which of several chat inputs takes the prompt."""

TEXT_RULE: Rule[Widget] = Rule(
    (
        ("can be used", lambda w: w.disabled),
        ("is not in the sidebar", lambda w: not w.in_main),
        ("its label speaks more of a question", lambda w: -_speaks_of_a_question(w)),
        ("is a text area", lambda w: w.kind != "text_area"),
        ("comes first", lambda w: w.path),
    )
)
"""Which of several text fields takes the prompt."""


def upload_rule(prompt: Widget | None) -> Rule[Widget]:
    """Which of several uploaders takes the images."""
    form = prompt.form_id if prompt is not None else ""
    return Rule(
        (
            ("is a file uploader", lambda w: w.kind == "camera_input"),
            ("is in the prompt's form", lambda w: w.form_id != form),
            ("is not in the sidebar", lambda w: not w.in_main),
            ("comes first", lambda w: w.path),
        )
    )


def button_rule(prompt: Widget | None, uploads: Sequence[Widget]) -> Rule[Widget]:
    """Which of several buttons sends the question."""
    after = prompt.path if prompt is not None else max((w.path for w in uploads), default=())
    return Rule(
        (
            ("is in the right form", lambda w: _form_rank(w, prompt, uploads)),
            (
                "its label speaks more of sending",
                lambda w: bool(_NOT_SENDING.search(w.label)) - bool(_SENDING.search(w.label)),
            ),
            ("is not in the sidebar", lambda w: not w.in_main),
            ("is the primary button", lambda w: w.node.content.type != "primary"),
            ("comes after the prompt", lambda w: w.path < after),
            ("comes first", lambda w: w.path),
        )
    )


def _form_rank(button: Widget, prompt: Widget | None, uploads: Sequence[Widget]) -> int:
    """0 in the prompt's form, 1 in an uploader's, 2 in none, 3 in another."""
    if prompt is not None and prompt.form_id and button.form_id == prompt.form_id:
        return 0
    if button.form_id and button.form_id in {w.form_id for w in uploads}:
        return 1
    return 2 if not button.form_id else 3


def _only_clears(button: Widget) -> bool:
    return bool(_NOT_SENDING.search(button.label)) and not _SENDING.search(button.label)


def _is_password(widget: Widget) -> bool:
    return widget.kind == "text_input" and widget.node.content.type == PASSWORD_INPUT


def matching(widgets: Sequence[Widget], query: WidgetQuery) -> Widget | None:
    """The widget that the query names; None for none."""

    def found(same: Callable[[str, str], bool]) -> list[Widget]:
        return [
            w
            for w in widgets
            if (query.kind is None or w.kind == query.kind)
            and (query.key is None or w.key == query.key)
            and (query.label is None or same(query.label, w.label))
            and (query.name is None or w.key == query.name or same(query.name, w.label))
        ]

    # Labels carry icons and markup: a label that merely contains the wanted one will do, if none is equal.
    fitting = found(lambda wanted, label: wanted.strip() == label.strip()) or found(
        lambda wanted, label: wanted.casefold() in label.casefold()
    )
    return fitting[query.index] if -len(fitting) <= query.index < len(fitting) else None


def _named(widgets: Sequence[Widget], query: WidgetQuery, purpose: str) -> Widget:
    widget = matching(widgets, query)
    if widget is None:
        raise PageError(
            f"no widget for the {purpose} matches {query}; widgets on the page: {listed(widgets)}"
        )
    return widget
