"""Which widget takes the prompt, the images, the press: one row, one page."""

from dataclasses import dataclass, field

import pytest

from glm_locust.protocols.streamlit import PageError, WidgetQuery
from glm_locust.protocols.streamlit.page import Page
from glm_locust.protocols.streamlit.schema import decode
from glm_locust.protocols.streamlit.widgets import (
    Widget,
    prompt_widget,
    submit_button,
    upload_widgets,
    widgets_of,
)
from tests.protocols.streamlit.messages import element

NOTHING = WidgetQuery()
HASH = "0123456789abcdef" * 2


def widget(path: str, kind: str, label: str = "", *, key: str | None = None, **fields: object) -> bytes:
    if label:
        fields["placeholder" if kind == "chat_input" else "label"] = label
    return element(path, kind, id=f"$$ID-{HASH}-{key}", **fields)


def page_of(*elements: bytes) -> list[Widget]:
    page = Page()
    for frame in elements:
        page.place(decode(frame))
    return widgets_of(page)


@dataclass
class Row:
    """A page, and the labels of what is chosen on it."""

    says: str
    page: list[bytes]
    prompt: str | None = None
    uploads: list[str] = field(default_factory=list)
    submit: str | None = None
    images: int = 0

    def __str__(self) -> str:
        return self.says


AREA = widget("0.1", "text_area", "Prompt")
BUTTON = widget("0.2", "button", "Generate")
UPLOADER = widget("0.0", "file_uploader", "Image")
ROWS = [
    Row("nothing", []),
    Row("a chat input before all", [AREA, widget("3.0", "chat_input", "Say")], prompt="Say"),
    Row("text area and button", [AREA, BUTTON], prompt="Prompt", submit="Generate"),
    Row("an area before an input", [widget("0.0", "text_input", "Topic"), AREA], prompt="Prompt"),
    Row(
        "the main area before the sidebar",
        [widget("1.0", "text_area", "Prompt"), widget("0.0", "text_input", "Name")],
        prompt="Name",
    ),
    Row("the sidebar where nothing else is", [widget("1.0", "text_input", "Query")], prompt="Query"),
    Row(
        "a question before other fields",
        [widget("0.0", "text_area", "Notes"), widget("0.1", "text_input", "Your question")],
        prompt="Your question",
    ),
    Row(
        "never the system prompt",
        [widget("0.0", "text_area", "System prompt"), widget("0.1", "text_input", "Text")],
        prompt="Text",
    ),
    Row("never a password", [widget("0.0", "text_input", "Ask me", type=1)], prompt=None),
    Row(
        "a disabled field last",
        [widget("0.0", "text_area", "Prompt", disabled=True), widget("0.1", "text_area", "Text")],
        prompt="Text",
    ),
    Row(
        "a Chinese page",
        [
            widget("0.0", "text_input", "姓名"),
            widget("0.1", "text_input", "请输入问题"),
            widget("0.2", "button", "清空"),
            widget("0.3", "button", "提交"),
        ],
        prompt="请输入问题",
        submit="提交",
    ),
    Row(
        "the button of the prompt's own form",
        [
            widget("0.0", "button", "Submit"),
            widget("0.1.0", "text_area", "Prompt", form_id="f"),
            widget("0.1.1", "button", "OK", form_id="f", is_form_submitter=True),
        ],
        prompt="Prompt",
        submit="OK",
    ),
    Row(
        "a button that sends before one that clears",
        [AREA, widget("0.2", "button", "Clear history"), widget("0.3", "button", "Run")],
        prompt="Prompt",
        submit="Run",
    ),
    Row(
        "a lone button that only clears is no submit",
        [AREA, widget("0.2", "button", "Reset")],
        prompt="Prompt",
    ),
    Row(
        "the primary button",
        [AREA, widget("0.2", "button", "One"), widget("0.3", "button", "Two", type="primary")],
        prompt="Prompt",
        submit="Two",
    ),
    Row(
        "the first after the prompt",
        [
            widget("0.0", "button", "Top"),
            AREA,
            widget("0.2", "button", "Next"),
            widget("0.3", "button", "Last"),
        ],
        prompt="Prompt",
        submit="Next",
    ),
    Row("one uploader for one image", [UPLOADER, AREA, BUTTON], "Prompt", ["Image"], "Generate", images=1),
    Row(
        "one uploader for many files",
        [widget("0.0", "file_uploader", "Files", multiple_files=True), AREA, BUTTON],
        "Prompt",
        ["Files"],
        "Generate",
        images=3,
    ),
    Row(
        "two uploaders for two images",
        [UPLOADER, widget("0.3", "file_uploader", "Second image"), AREA, BUTTON],
        "Prompt",
        ["Image", "Second image"],
        "Generate",
        images=2,
    ),
    Row(
        "an uploader of documents takes no images",
        [
            widget("0.0", "file_uploader", "PDF", type=[".pdf"]),
            widget("0.3", "file_uploader", "Picture", type=[".png"]),
            AREA,
        ],
        "Prompt",
        ["Picture"],
        images=1,
    ),
    Row(
        "the uploader of the prompt's form",
        [
            UPLOADER,
            widget("0.1.0", "text_area", "Prompt", form_id="f"),
            widget("0.1.1", "file_uploader", "Photo", form_id="f"),
            widget("0.1.2", "button", "OK", form_id="f"),
        ],
        "Prompt",
        ["Photo"],
        "OK",
        images=1,
    ),
    Row(
        "a chat input that accepts files",
        [UPLOADER, widget("3.0", "chat_input", "Say", accept_file=2)],
        "Say",
        ["Say"],
        images=2,
    ),
    Row(
        "an uploader beside a chat input",
        [UPLOADER, widget("3.0", "chat_input", "Say")],
        "Say",
        ["Image"],
        images=1,
    ),
    Row("an uploader alone", [UPLOADER], None, ["Image"], images=1),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_rule(row: Row) -> None:
    widgets = page_of(*row.page)
    prompt = prompt_widget(widgets, NOTHING)
    uploads = upload_widgets(widgets, NOTHING, prompt, row.images)
    assert (prompt.label if prompt else None) == row.prompt
    assert [w.label for w in uploads] == row.uploads
    if prompt is None or prompt.kind != "chat_input":
        button = submit_button(widgets, NOTHING, prompt, uploads)
        assert (button.label if button else None) == row.submit


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (WidgetQuery(kind="text_area"), "0.0"),
        (WidgetQuery(label="Prompt"), "0.1"),
        (WidgetQuery(label="prompt"), "0.0"),
        (WidgetQuery(key="a-b-c"), "0.2"),
        (WidgetQuery(index=2), "0.2"),
        (WidgetQuery(index=-1), "0.2"),
        (WidgetQuery(kind="text_input", index=1), "0.2"),
        (WidgetQuery(kind="text_input", key="a-b-c"), "0.2"),
    ],
    ids=str,
)
def test_a_named_widget(query: WidgetQuery, found: str) -> None:
    widgets = page_of(
        widget("0.0", "text_area", "🚀 Your prompt"),
        widget("0.1", "text_input", "Prompt"),
        widget("0.2", "text_input", "Other", key="a-b-c"),
    )
    chosen = prompt_widget(widgets, query)
    assert chosen is not None
    assert ".".join(map(str, chosen.path)) == found


@pytest.mark.parametrize(
    "query", [WidgetQuery(label="nowhere"), WidgetQuery(index=9), WidgetQuery(kind="chat_input")], ids=str
)
def test_a_named_widget_that_is_not_there_lists_what_is(query: WidgetQuery) -> None:
    with pytest.raises(PageError, match="widgets on the page: text_area 'Prompt'; button 'Generate'"):
        prompt_widget(page_of(AREA, BUTTON), query)


@pytest.mark.parametrize(
    ("images", "page", "says"),
    [
        (1, [AREA, BUTTON], "no widget takes an image; widgets on the page: text_area 'Prompt'; button"),
        (2, [UPLOADER, AREA], "no widget takes 2 images"),
        (
            1,
            [widget("3.0", "chat_input", "Say", accept_file=1, file_type=["pdf"])],
            "no widget takes an image",
        ),
    ],
)
def test_images_that_nothing_takes(images: int, page: list[bytes], says: str) -> None:
    widgets = page_of(*page)
    with pytest.raises(PageError, match=says):
        upload_widgets(widgets, NOTHING, prompt_widget(widgets, NOTHING), images)


@pytest.mark.parametrize(
    ("id_", "key"),
    [
        (f"$$ID-{HASH}-None", None),
        (f"$$ID-{HASH}-my-key", "my-key"),
        (f"$$WIDGET_ID-{HASH}-prompt", "prompt"),
        (f"$$GENERATED_WIDGET_ID-{HASH}-None", None),
        ("something else", None),
    ],
)
def test_keys_are_read_from_identifiers(id_: str, key: str | None) -> None:
    (found,) = page_of(element("0.0", "button", id=id_, label="x"))
    assert found.key == key


def test_a_label_of_many_lines_stays_one_line() -> None:
    (found,) = page_of(widget("0.0", "text_area", "a\nb\x1b[31m" + "c" * 500))
    assert "\n" not in str(found)
    assert "\x1b" not in str(found)
    assert len(str(found)) < 80
