"""Every metric from a record worked out by hand, and docs/METRICS.md."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from glm_locust.metrics import METRICS, enters_statistics, values_of
from glm_locust.metrics.document import metrics_markdown
from glm_locust.records import ErrorKind, LagKind, Outcome, Phase, RequestRecord

MS = 1_000_000
ORIGIN = 1_700_000_000_000 * MS

PAGE = RequestRecord(
    run_id="r",
    worker_id="w",
    seq=1,
    path="web",
    task="compare",
    phase=Phase.MEASURE,
    prompt_id="p",
    images=2,
    image_pixels=2 * 512 * 512,
    image_bytes=30_000,
    scheduled_ns=ORIGIN,
    sent_ns=ORIGIN + 5 * MS,
    submitted_ns=ORIGIN + 105 * MS,
    accepted_ns=ORIGIN + 115 * MS,
    first_token_ns=ORIGIN + 405 * MS,
    first_output_ns=ORIGIN + 605 * MS,
    last_output_ns=ORIGIN + 1005 * MS,
    finished_ns=ORIGIN + 1025 * MS,
    first_token_lag_us=2000,
    lag_kind=LagKind.KERNEL,
    output_gaps_us=(200_000, 300_000, 100_000),
    prompt_tokens=700,
    output_tokens=9,
    output_chars=46,
    bytes_out=32_000,
    bytes_in=4_000,
    image_bytes_out=31_000,
    outcome=Outcome.OK,
)
"""A page that took two images in 100 ms, reasoned for 200 ms and answered; 5 ms late by our own fault."""

BY_HAND = {
    "ttft_s": (0.305,),
    "ttfo_s": (0.505,),
    "ttft_incl_upload_s": (0.405,),
    "ttfo_incl_upload_s": (0.605,),
    "ttft_kernel_s": (0.303,),
    "ttfo_kernel_s": (),
    "itl_s": (0.2, 0.3, 0.1),
    "tpot_s": (0.075,),
    "e2e_s": (0.925,),
    "e2e_incl_upload_s": (1.025,),
    "upload_s": (0.1,),
    "send_lag_s": (0.005,),
    "generator_lag_s": (0.002,),
    "prompt_tokens": (700,),
    "output_tokens": (9,),
    "tokens_per_chunk": (2.25,),
    "output_tokens_per_s": (9 / 0.925,),
    "output_chars": (46,),
    "output_chars_per_s": (46 / 0.925,),
    "e2e_per_char_s": (0.925 / 46,),
    "image_bytes": (15_000,),
    "image_bytes_out": (15_500,),
    "image_bytes_ratio": (31 / 30,),
    "bytes_out": (32_000,),
    "bytes_in": (4_000,),
}


def changed(**fields: Any) -> RequestRecord:
    return msgspec.structs.replace(PAGE, **fields)


@pytest.mark.parametrize("name", METRICS)
def test_formula(name: str) -> None:
    assert METRICS[name].formula(PAGE) == pytest.approx(BY_HAND[name])


def test_values_of_holds_what_there_is() -> None:
    values = values_of(PAGE)
    assert set(values) == {name for name, expected in BY_HAND.items() if expected}


NO_TEXT = {
    "first_token_ns": None,
    "first_output_ns": None,
    "last_output_ns": None,
    "first_token_lag_us": None,
    "lag_kind": LagKind.NONE,
    "output_gaps_us": (),
    "output_chars": 0,
}
ABSENT = {
    "an answer with tokens but no visible text has an end and no TTFT": (
        NO_TEXT,
        {"ttft_s", "ttfo_s", "ttft_incl_upload_s", "ttft_kernel_s", "itl_s", "tpot_s", "e2e_per_char_s"},
        {"e2e_s", "output_tokens", "output_tokens_per_s"},
    ),
    "a page that never states tokens has times": (
        {"output_tokens": None, "prompt_tokens": None},
        {"tpot_s", "output_tokens", "tokens_per_chunk", "output_tokens_per_s", "prompt_tokens"},
        {"ttft_s", "itl_s", "e2e_s"},
    ),
    "one token has no time per token": ({"output_tokens": 1}, {"tpot_s"}, {"ttft_s"}),
    "an answer in one body has a TTFT and nothing about its stream": (
        {"streamed": False, "output_gaps_us": ()},
        {"tpot_s", "itl_s", "tokens_per_chunk"},
        {"ttft_s", "e2e_s"},
    ),
    "without kernel stamps there is no generator lag": (
        {"first_token_lag_us": None, "lag_kind": LagKind.NONE},
        {"generator_lag_s", "ttft_kernel_s", "ttfo_kernel_s"},
        {"ttft_s"},
    ),
    "a text question sends no image": (
        {"images": 0, "image_bytes": 0, "image_bytes_out": 0, "image_pixels": 0},
        {"image_bytes", "image_bytes_out", "image_bytes_ratio"},
        {"bytes_out"},
    ),
    "a path that does not count its image bytes has none, not zero": (
        {"image_bytes_out": 0},
        {"image_bytes_out", "image_bytes_ratio"},
        {"image_bytes"},
    ),
}


@pytest.mark.parametrize("case", ABSENT)
def test_what_never_happened_has_no_value(case: str) -> None:
    fields, absent, present = ABSENT[case]
    values = values_of(changed(**fields))
    assert not absent & set(values)
    assert present <= set(values)


def test_ttfo_has_a_kernel_stamp_where_the_first_token_is_the_answer() -> None:
    record = changed(first_output_ns=PAGE.first_token_ns)
    assert METRICS["ttfo_kernel_s"].formula(record) == pytest.approx((0.303,))


@pytest.mark.parametrize(
    "fields",
    [
        {"phase": Phase.WARMUP},
        {"phase": Phase.DRAIN},
        {"outcome": Outcome.FAILED, "error_kind": ErrorKind.TRUNCATED},
        {"outcome": Outcome.CANCELLED, "error_kind": ErrorKind.RUN_ENDED},
    ],
)
def test_only_measured_answers_that_ended_well_count(fields: dict[str, Any]) -> None:
    record = changed(**fields)
    assert not enters_statistics(record)
    assert values_of(record) == {}


def test_the_page_of_metrics_agrees_with_the_table() -> None:
    page = Path(__file__).parents[1] / "docs" / "METRICS.md"
    assert page.read_text() == metrics_markdown(), "run: python -m glm_locust.metrics > docs/METRICS.md"


def test_names_end_in_their_unit() -> None:
    for name, metric in METRICS.items():
        assert name == metric.name
        assert (metric.unit == "s") == (name.endswith("_s") and not name.endswith("_per_s"))
        assert metric.doc.endswith(".")
