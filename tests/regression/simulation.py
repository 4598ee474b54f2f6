"""Runs whose truth is known: lognormal waits, with a moment that all requests of a block share."""

import random
from collections.abc import Iterator

import msgspec

from glm_locust.records import ErrorKind, Outcome, Phase, RequestRecord
from glm_locust.regression import Observations
from glm_locust.regression.change import DEFAULT_MEASURES

MS = 1_000_000
METRICS = tuple(dict.fromkeys(measure.metric for measure in DEFAULT_MEASURES))


def records(
    *,
    seed: int,
    blocks: int | None = 12,
    per_block: int = 10,
    ttft_ms: float = 200,
    slower: float = 0.0,
    noise: float = 0.10,
    between_blocks: float = 0.0,
    path: str = "api",
    tasks: tuple[str, ...] = ("ocr", "chart"),
    level: int | None = 1,
    failed: int = 0,
) -> Iterator[RequestRecord]:
    """`noise` and `between_blocks` are standard deviations as shares; without blocks, none is told."""
    rng = random.Random(seed)
    now_ms, seq = 0.0, 0
    for block in range(blocks or 12):
        moment = rng.gauss(0, between_blocks)
        for place in range(per_block):
            wait_ms = ttft_ms * (1 + slower) * (1 + moment) * rng.lognormvariate(0, noise)
            answer_ms = 400 * (1 + slower) * rng.lognormvariate(0, noise)
            seq += 1
            yield RequestRecord(
                run_id="r",
                worker_id="w",
                seq=seq,
                path=path,
                task=tasks[place % len(tasks)],
                phase=Phase.MEASURE,
                block=block if blocks else None,
                level=level,
                prompt_id=str(seq),
                scheduled_ns=_ns(now_ms),
                sent_ns=_ns(now_ms),
                submitted_ns=_ns(now_ms),
                first_token_ns=_ns(now_ms + wait_ms),
                first_output_ns=_ns(now_ms + wait_ms),
                last_output_ns=_ns(now_ms + wait_ms + answer_ms),
                finished_ns=_ns(now_ms + wait_ms + answer_ms),
                output_tokens=41,
                outcome=Outcome.OK,
            )
            now_ms += wait_ms + answer_ms
    for _ in range(failed):
        seq += 1
        yield RequestRecord(
            run_id="r",
            worker_id="w",
            seq=seq,
            path=path,
            task=tasks[0],
            phase=Phase.MEASURE,
            prompt_id=str(seq),
            scheduled_ns=_ns(now_ms),
            finished_ns=_ns(now_ms),
            outcome=Outcome.FAILED,
            error_kind=ErrorKind.CONNECT,
        )


def observed(*parts: Iterator[RequestRecord]) -> Observations:
    observations = Observations(METRICS)
    for part in parts:
        for number, record in enumerate(part):
            observations.add(record if len(parts) == 1 else _renumbered(record, id(part), number))
    return observations


def _renumbered(record: RequestRecord, worker: int, number: int) -> RequestRecord:
    return msgspec.structs.replace(record, worker_id=str(worker), seq=number)


def _ns(at_ms: float) -> int:
    return 1_752_480_000_000 * MS + round(at_ms * MS)
