"""Questions with known answers: texts and generated images, seeded and pure."""

from glm_locust.workload.drawing.canvas import ImageFormat
from glm_locust.workload.prompt import Image, Prompt, PromptSource
from glm_locust.workload.prompts import LANGUAGES, Language, estimated_tokens, recognise
from glm_locust.workload.tasks import TASKS, Task
from glm_locust.workload.truth import Truth
from glm_locust.workload.workload import IMAGE_FORMATS, IMAGE_SIZES, Workload

__all__ = [
    "IMAGE_FORMATS",
    "IMAGE_SIZES",
    "LANGUAGES",
    "TASKS",
    "Image",
    "ImageFormat",
    "Language",
    "Prompt",
    "PromptSource",
    "Task",
    "Truth",
    "Workload",
    "estimated_tokens",
    "recognise",
]
