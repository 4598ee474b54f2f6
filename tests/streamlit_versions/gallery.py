"""The apps of the gallery: since which version they run, and what is needed to ask them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.users.pages import PageServer

MAIN = "gallery/Home"
NAVIGATION = "gallery/navigation"
KEY_ENV = "GALLERY_KEY"
KEY = "open sesame"
Number = tuple[int, ...]


@dataclass(frozen=True)
class App:
    """One page of the gallery."""

    page: str
    says: str
    since: Number = (1, 28)
    images: int = 0
    asked: Callable[[str], tuple[str, ...]] = lambda question: (question,)
    """What the model is asked for a question; with several, each answer is right."""
    shown: Callable[[str], str] = lambda answer: answer
    """How the page shows an answer."""
    choices: Mapping[str, object] = field(default_factory=dict)
    """What has to be said about it, in the words of a `[web]` table."""
    streams: bool = True
    turns: int = 2

    def __str__(self) -> str:
        return self.page


APPS = (
    App("chat_history", "chat with history, key field and settings in the sidebar", (1, 31), turns=3),
    App("chat_placeholder", "chat into a placeholder with a cursor"),
    App(
        "upload_answers",
        "answers as soon as an image is uploaded",
        images=1,
        asked=lambda question: ("Describe image-0.png",),
    ),
    App("summariser", "form that clears itself; answer in one piece in a coloured box", streams=False),
    App("rag", "text field without a button; sources in an expander, duration below"),
    App("reasoning", "reasoning in st.status, then the answer"),
    App("columns", "two models side by side", asked=lambda question: (question, f"{question} (B)")),
    App("settings", "form with every kind of setting"),
    App("tabs", "tools in tabs"),
    App("fragment_chat", "chat in a fragment", (1, 37)),
    App("rerun", "ends with st.rerun"),
    App("dialog", "question in a dialog that a button opens", (1, 37), choices={"values": {"Open": True}}),
    App("buttons", "several buttons"),
    App("timer", "duration and count beside the answer"),
    App("vision_form", "several images in a form that clears itself, history above", images=2),
    App("chat_file", "chat input that takes images", (1, 43), images=2),
    App(
        "hidden_answer",
        "answer in an expander, after other words",
        shown=lambda answer: answer.strip(),
        choices={"answer": {"container": "Result", "pattern": "Model says: (.*)"}},
    ),
    App("text_area_answer", "answer in a text area", streams=False),
    App("refreshing", "figure beside the chat that refreshes itself", (1, 37)),
    App(
        "gate",
        "shows its chat only for a key",
        choices={"values": {"Access key": {"value_env": KEY_ENV}}},
        shown=lambda answer: f"(None) {answer}",
    ),
)


def gallery_server(
    workdir: Path,
    model_url: str,
    model: str,
    *,
    python: Path | None = None,
    base_path: str = "",
    app: str = MAIN,
    env: Mapping[str, str] | None = None,
) -> PageServer:
    """A server of the gallery, not yet started."""
    own = {"MODEL_URL": model_url, "MODEL": model, "PYTHONDONTWRITEBYTECODE": "1"}
    return PageServer(app, workdir, base_path=base_path, python=python, env={**own, **(env or {})})
