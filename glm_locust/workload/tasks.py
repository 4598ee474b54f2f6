"""The five kinds of questions of the comparison."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of question."""

    id: str
    title_en: str
    title_zh: str
    images: int
    """Images in each question."""
    description: str


TASKS: dict[str, Task] = {
    task.id: task
    for task in (
        Task(
            "describe",
            "Image description",
            "图像描述",
            1,
            "A landscape with countable objects: what is seen in it?",
        ),
        Task("ocr", "Text recognition", "文字识别", 1, "A notice on a wall: what does it say?"),
        Task(
            "chart",
            "Chart understanding",
            "图表理解",
            1,
            "A line chart that follows a rule: what is its next data point?",
        ),
        Task(
            "compare",
            "Two-image comparison",
            "双图对比",
            2,
            "Two landscapes with a few differences: which are they?",
        ),
        Task(
            "reason",
            "Complex reasoning",
            "复杂推理",
            1,
            "A plate of food: what should change for losing weight?",
        ),
    )
}
"""By task id, in the order in which tables show them."""
