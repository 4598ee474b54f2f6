"""Speeds of the simulated model: fitted to published figures, so these say nothing about a machine.

`rtx3090` meets the API column of the published comparison of GLM-4.6V-Flash-WEB (one RTX 3090, one
user, 512x512 images). `demo` is the same model eight times faster.
"""

from dataclasses import dataclass, replace

from glm_locust.errors import ConfigError
from glm_locust.testbed.tokens import IMAGE_FRAME_TOKENS, TEMPLATE_TOKENS, image_tokens

MODEL = "glm-4.6v-flash-simulated"
"""The id under `/v1/models`: it says that the model is simulated."""

ARTICLE_API_S: dict[str, tuple[float, float]] = {
    "describe": (1.15, 2.67),
    "ocr": (1.12, 2.53),
    "chart": (1.28, 3.32),
    "compare": (1.45, 4.11),
    "reason": (1.63, 5.04),
}
"""Task -> (TTFT, E2E latency) in seconds of the published API column: what the presets are set to."""

PRESET_NOTE = {
    "en": (
        "The model is simulated. Its preset sets the API path's TTFT and total time per task at one "
        "user (fitted to the published API column), so these columns confirm nothing. Measured, not "
        "preset: what the Web path adds to the API path, the Jupyter hop, bytes sent, and how both "
        "paths hold up under concurrency."
    ),
    "zh": (
        "模型是模拟的。预设直接决定了单用户下 API 路径各任务的 TTFT 和总耗时（按已发表的 API 一列拟合），"
        "因此这两列不能证明任何结论。真正测得的是：Web 路径比 API 路径多出的时间、Jupyter 代理一跳、"
        "发送的字节数，以及两条路径在并发下的表现。"
    ),
}
"""What every output about a simulated model must say, by language."""

PRESET_COLUMNS = ("api ttft by task, one user", "api e2e by task, one user")
"""The columns that the preset sets."""

NOMINAL_IMAGES = {"compare": 2}
"""Images a task's figures were published for, where it is not one."""
NOMINAL_TEXT_TOKENS = 30
LENGTH_SPREAD = 0.05
"""Answers are this share shorter or longer than their task's length, uniformly."""


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """What the engine needs to know of one kind of question."""

    prepare_s: float
    """Host work before the engine sees the request: image processor, tokenizer, and whatever else
    the published TTFT of this task holds that its size does not explain."""
    output_tokens: int


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Speed and limits of the simulated model; durations in seconds."""

    name: str
    step_s: float
    """One forward pass, empty."""
    sequence_s: float
    """What each decoding sequence adds to a step."""
    image_token_s: float
    """What each image token of a prefill adds to a step, its share of the image encoder included."""
    text_token_s: float
    tasks: dict[str, TaskProfile]
    other: TaskProfile
    """For a question of no known task."""
    chunk_tokens: int = 128
    """Most prompt tokens that one step prefills."""
    max_batch: int = 16
    max_waiting: int = 64
    """Requests accepted but not yet in the batch; one more is rejected."""
    preparers: int = 4
    """Requests that the host prepares at a time."""
    kv_tokens: int = 65536
    max_model_tokens: int = 8192

    def profile(self, task: str | None) -> TaskProfile:
        """The profile of a task; `other` for None and for unknown names."""
        return self.tasks.get(task, self.other) if task is not None else self.other

    def faster(self, name: str, factor: float) -> "EngineSpec":
        """The same model with every duration divided by `factor`."""
        return replace(
            self,
            name=name,
            step_s=self.step_s / factor,
            sequence_s=self.sequence_s / factor,
            image_token_s=self.image_token_s / factor,
            text_token_s=self.text_token_s / factor,
            tasks={task: _faster(profile, factor) for task, profile in self.tasks.items()},
            other=_faster(self.other, factor),
        )


def _faster(profile: TaskProfile, factor: float) -> TaskProfile:
    return TaskProfile(prepare_s=profile.prepare_s / factor, output_tokens=profile.output_tokens)


def _fitted(spec: EngineSpec) -> EngineSpec:
    """Set each task's preparation and output length so that one user alone sees ARTICLE_API_S."""

    def fit(task: str, ttft_s: float, e2e_s: float) -> TaskProfile:
        images = NOMINAL_IMAGES.get(task, 1)
        pixels_tokens = images * image_tokens(512, 512)
        words_tokens = NOMINAL_TEXT_TOKENS + TEMPLATE_TOKENS + images * IMAGE_FRAME_TOKENS
        steps = -(-(pixels_tokens + words_tokens) // spec.chunk_tokens)
        prefill_s = (
            steps * spec.step_s + pixels_tokens * spec.image_token_s + words_tokens * spec.text_token_s
        )
        decode_s = spec.step_s + spec.sequence_s
        return TaskProfile(prepare_s=ttft_s - prefill_s, output_tokens=round((e2e_s - ttft_s) / decode_s) + 1)

    tasks = {task: fit(task, ttft_s, e2e_s) for task, (ttft_s, e2e_s) in ARTICLE_API_S.items()}
    return replace(spec, tasks=tasks, other=tasks["describe"])


# A 9B model in bfloat16 on a card of 936 GB/s reads its weights in about 20 ms: that is the step. The
# second image of the comparison costs 0.30 s of TTFT in the published figures: that is 324 image tokens.
_RTX3090 = _fitted(
    EngineSpec(
        name="rtx3090",
        step_s=0.024,
        sequence_s=0.0006,
        image_token_s=0.0007,
        text_token_s=0.0004,
        tasks={},
        other=TaskProfile(prepare_s=0.0, output_tokens=1),
    )
)

PRESETS: dict[str, EngineSpec] = {
    "demo": _RTX3090.faster("demo", 8),
    "rtx3090": _RTX3090,
}
"""Name -> speed of the simulated model."""
DEFAULT_PRESET = "demo"


def preset_named(name: str) -> EngineSpec:
    """The preset of that name; raises ConfigError."""
    spec = PRESETS.get(name)
    if spec is None:
        raise ConfigError(f"unknown preset {name!r}: expected {', '.join(sorted(PRESETS))}")
    return spec
