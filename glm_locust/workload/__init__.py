"""Questions with known answers: texts and generated images, seeded and pure."""

from glm_locust.workload.prompt import Image, Prompt, PromptSource
from glm_locust.workload.prompts import LANGUAGES, Language, estimated_tokens, recognise
from glm_locust.workload.tasks import TASKS, Task
from glm_locust.workload.truth import Truth
from glm_locust.workload.workload import Workload

__all__ = [
    "LANGUAGES",
    "TASKS",
    "Image",
    "Language",
    "Prompt",
    "PromptSource",
    "Task",
    "Truth",
    "Workload",
    "estimated_tokens",
    "recognise",
]
