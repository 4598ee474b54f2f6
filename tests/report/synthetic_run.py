"""Seeded runs whose truth is known: what a real run directory holds, without a server."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from glm_locust.records import (
    ErrorKind,
    LagKind,
    Outcome,
    Phase,
    RequestRecord,
    RunFooter,
    RunHeader,
    TokenSource,
    digest,
    encode_line,
)

MS = 1_000_000
START_NS = 1_752_480_000_000 * MS
TASKS = ("describe", "ocr", "chart", "compare", "reason")
PATHS = ("api", "web", "web-jupyter")
MODEL_MS = {"describe": 144, "ocr": 140, "chart": 160, "compare": 181, "reason": 204}
ANSWER_MS = {"describe": 190, "ocr": 176, "chart": 255, "compare": 332, "reason": 426}
CHARS = {"describe": 180, "ocr": 90, "chart": 60, "compare": 240, "reason": 420}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of; delays in ms, all of them exact but for `noise_ms`."""

    paths: Sequence[str] = PATHS
    tasks: Sequence[str] = TASKS
    levels: Sequence[int | None] = (1,)
    repeats: int = 10
    seed: int = 1
    noise_ms: float = 3.0
    network_ms: float = 2.0
    streamlit_in_ms: float = 60.0
    streamlit_out_ms: float = 20.0
    jupyter_ms: float = 15.0
    per_level_ms: float = 8.0
    """What each user beyond the first adds to every page answer."""
    upload_ms: float = 12.0
    reasoning_on_api: bool = False
    reasoning_ms: float = 500.0
    failures: dict[tuple[str, ErrorKind], int] = field(default_factory=dict)
    error_detail: str = "connection reset by peer"
    warmup: int = 2
    cancelled: int = 0
    kernel_stamps: Sequence[str] = ("api", "web", "web-jupyter")
    chars_factor: dict[str, float] = field(default_factory=dict)
    not_streamed: int = 0
    simulated: bool = True
    gaps: int = 24
    workers: int = 2
    header: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Run:
    header: RunHeader
    records: list[RequestRecord]
    truth: list[dict[str, Any]]
    footer: RunFooter


def make(recipe: Recipe | None = None) -> Run:
    recipe = recipe or Recipe()
    maker = _Maker(recipe)
    for path in recipe.paths:
        for _ in range(recipe.warmup):
            maker.ask(path, recipe.tasks[0], recipe.levels[0], Phase.WARMUP, block=0)
    block = 1
    for level in recipe.levels:
        for start in range(0, recipe.repeats, 2):
            for path in recipe.paths:
                for _ in range(min(2, recipe.repeats - start)):
                    for task in recipe.tasks:
                        maker.ask(path, task, level, Phase.MEASURE, block=block)
                block += 1
    for (path, kind), n in recipe.failures.items():
        for _ in range(n):
            maker.fail(path, recipe.tasks[0], recipe.levels[0], kind)
    for _ in range(recipe.cancelled):
        maker.cancel(recipe.paths[0], recipe.tasks[0], recipe.levels[0])
    return maker.run()


def write(run: Run, directory: Path, *, truth: bool = True, footer: bool = True) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    lines: list[RunHeader | RequestRecord | RunFooter] = [run.header, *run.records]
    if footer:
        lines.append(run.footer)
    (directory / "run.jsonl").write_bytes(b"".join(encode_line(line) for line in lines))
    if truth:
        (directory / "truth.jsonl").write_bytes(_json_lines(run.truth))
    return directory


def _json_lines(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


class _Maker:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.random = random.Random(recipe.seed)
        self.records: list[RequestRecord] = []
        self.truth: list[dict[str, Any]] = []
        self.now_ms = 0.0
        self.seq = [0] * recipe.workers

    def ask(self, path: str, task: str, level: int | None, phase: Phase, *, block: int) -> None:
        recipe = self.recipe
        page = path != "api"
        load_ms = recipe.per_level_ms * ((level or 1) - 1)
        due = self.now_ms
        sent = due + 0.2
        upload = recipe.upload_ms if page else 0.0
        submitted = sent + upload
        way_in = recipe.network_ms
        if page:
            way_in = recipe.streamlit_in_ms + load_ms + self._noise()
            way_in += recipe.jupyter_ms * 0.6 if path == "web-jupyter" else 0
        received = submitted + way_in
        written = received + MODEL_MS.get(task, 150) + self._noise()
        out = recipe.network_ms / 2
        if page:
            out = recipe.streamlit_out_ms + (recipe.jupyter_ms * 0.4 if path == "web-jupyter" else 0)
        first = written + out
        reasons = recipe.reasoning_on_api
        output = first + (recipe.reasoning_ms if reasons else 0)
        if reasons and page:
            first = output
        last = output + ANSWER_MS.get(task, 200) + self._noise()
        end = last + 1
        self.now_ms = end + 5
        text = f"{task} {len(self.records)} {recipe.seed}"
        streamed = not (path == "api" and len(self.records) < recipe.not_streamed)
        chars = round(CHARS.get(task, 100) * recipe.chars_factor.get(path, 1.0)) + self.random.randrange(
            -3, 4
        )
        images = 2 if task == "compare" else 1
        size = 15_000 * images
        stamped = path in recipe.kernel_stamps
        upstream = f"chatcmpl-{len(self.records)}"
        self._keep(
            path=path,
            task=task,
            phase=phase,
            block=block,
            level=level,
            prompt_id=digest(text),
            images=images,
            image_pixels=images * 512 * 512,
            image_bytes=size,
            scheduled_ns=_ns(due),
            sent_ns=_ns(sent),
            submitted_ns=_ns(submitted),
            accepted_ns=_ns(submitted + (way_in / 4 if page else 1)),
            first_token_ns=_ns(first),
            first_output_ns=_ns(output),
            last_output_ns=_ns(last),
            finished_ns=_ns(end),
            first_token_lag_us=400 if stamped else None,
            lag_kind=LagKind.KERNEL if stamped else LagKind.NONE,
            output_gaps_us=(round((last - output) * 1000 / recipe.gaps),) * recipe.gaps if streamed else (),
            prompt_tokens=380 * images,
            output_tokens=60,
            output_chars=chars,
            bytes_out=round(size * 4 / 3) + 600 if not page else size + 1900,
            bytes_in=9000,
            image_bytes_out=round(size * 4 / 3) + 22 * images if not page else size + 210 * images,
            token_source=TokenSource.USAGE,
            in_flight_at_send=level or 1,
            streamed=streamed,
            outcome=Outcome.OK,
            http_status=200,
            upstream_id=upstream if not page else None,
        )
        self.truth.append(
            {
                "prompt_id": digest(text),
                "upstream_id": upstream,
                "received_head_ns": _ns(received - 0.5),
                "received_ns": _ns(received),
                "first_token_ns": _ns(written),
                "finished_ns": _ns(end - 1),
                "outcome": "finished",
                "status": 200,
                "prompt_tokens": 380,
                "output_tokens": 60,
                "images": images,
                "running_at_arrival": 0,
                "waiting_at_arrival": 0,
            }
        )

    def fail(self, path: str, task: str, level: int | None, kind: ErrorKind) -> None:
        self._end(path, task, level, Outcome.FAILED, kind, self.recipe.error_detail)

    def cancel(self, path: str, task: str, level: int | None) -> None:
        self._end(path, task, level, Outcome.CANCELLED, ErrorKind.RUN_ENDED, None)

    def _end(
        self, path: str, task: str, level: int | None, outcome: Outcome, kind: ErrorKind, detail: str | None
    ) -> None:
        due = self.now_ms
        self.now_ms += 9000
        # A failure so slow that it would show in any metric that took it in.
        self._keep(
            path=path,
            task=task,
            phase=Phase.MEASURE,
            level=level,
            prompt_id=digest(f"{kind} {len(self.records)}"),
            scheduled_ns=_ns(due),
            sent_ns=_ns(due),
            submitted_ns=_ns(due),
            first_token_ns=_ns(due + 8000),
            first_output_ns=_ns(due + 8000),
            finished_ns=_ns(due + 9000),
            outcome=outcome,
            error_kind=kind,
            error_detail=detail,
        )

    def run(self) -> Run:
        recipe = self.recipe
        simulated = {"simulated": True, "preset": "demo"} if recipe.simulated else {}
        fields: dict[str, Any] = {
            "run_id": "20250714-0800-synthetic",
            "started_ns": START_NS,
            "command": ("glm-locust", "compare", "--repeats", str(recipe.repeats)),
            "seed": recipe.seed,
            "workload": {
                "tasks": list(recipe.tasks),
                "repeats": recipe.repeats,
                "levels": list(recipe.levels),
                "design": "blocks",
                "prompt_lang": "zh",
            },
            "targets": {
                path: {"url": f"http://127.0.0.1/{path}", "model": "glm-4.6v-flash", **simulated}
                for path in recipe.paths
            },
            "versions": {"glm_locust": "0.1.0", "locust": "2.47.0", "python": "3.11.2"},
            "machine": {"cpu_count": 2, "system": "Linux"},
        }
        header = RunHeader(**(fields | recipe.header))
        self.records = [msgspec.structs.replace(one, run_id=header.run_id) for one in self.records]
        counts = {
            outcome.value: sum(record.outcome is outcome for record in self.records) for outcome in Outcome
        }
        footer = RunFooter(
            run_id=header.run_id,
            ended_ns=_ns(self.now_ms),
            reason="completed",
            counts=counts,
            workers={
                f"w{index}": {"records": seq, "lost": False, "host": "localhost"}
                for index, seq in enumerate(self.seq)
            },
            locust_requests=counts["ok"] + counts["failed"],
        )
        return Run(header, self.records, self.truth, footer)

    def _keep(self, **fields: Any) -> None:
        worker = len(self.records) % self.recipe.workers
        self.seq[worker] += 1
        self.records.append(RequestRecord(run_id="r", worker_id=f"w{worker}", seq=self.seq[worker], **fields))

    def _noise(self) -> float:
        return self.random.uniform(-1, 1) * self.recipe.noise_ms


def _ns(at_ms: float) -> int:
    return START_NS + round(at_ms * MS)
