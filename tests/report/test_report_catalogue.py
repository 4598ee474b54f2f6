"""Texts: every one is used, every one that is used is there, and figures print with their unit."""

import re
import string
from pathlib import Path

import pytest

from glm_locust.config.scenario import REPORT_LANGUAGES
from glm_locust.errors import ConfigError
from glm_locust.layers import Layer
from glm_locust.records import ErrorKind
from glm_locust.report import catalogue as module
from glm_locust.report.catalogue import (
    catalogue,
    count,
    languages,
    milliseconds,
    percent,
    rate,
    size,
)
from glm_locust.report.claims import ClaimVerdict
from glm_locust.report.statement import Statement

REPORT = Path(module.__file__).parent
CODE = "\n".join(path.read_text() for path in REPORT.rglob("*.py"))
NAMED_BY_DATA = (
    "path.",
    "task.",
    "kind.",
    "reason.",
    "verdict.",
    "layer.",
    "claim.",
    "headline.",
    "rests.",
    "stamps.",
    "ruling.",
    "change.",
    "banner.slo_",
    "source.",
)
"""Groups whose keys end in what a run holds."""
WORDS = set(re.findall(r"[\w-]+", " ".join(re.findall(r"\"[^\"\n]*\"", CODE))))


@pytest.mark.parametrize("language", languages())
def test_no_text_is_unused(language: str) -> None:
    unused = [
        key
        for key in catalogue(language).texts
        if not key.startswith(NAMED_BY_DATA)
        and f'"{key}"' not in CODE
        and not ({key.split(".")[0], key.split(".")[1 if "." in key else 0]} <= WORDS)
    ]
    assert unused == []


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_keys_and_figures(language: str) -> None:
    english, other = catalogue("en").texts, catalogue(language).texts
    assert set(english) == set(other)
    for key, text in english.items():
        assert figures_in(other[key]) == figures_in(text), key


def figures_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", languages())
def test_what_code_names_has_a_name(language: str) -> None:
    texts = catalogue(language).texts
    named = (
        *(f"kind.{kind}" for kind in ErrorKind),
        *(f"layer.{layer}" for layer in Layer),
        *(f"verdict.{verdict}" for verdict in ClaimVerdict),
    )
    assert [key for key in named if key not in texts] == []


@pytest.mark.parametrize("language", languages())
def test_statements_of_every_direction_exist(language: str) -> None:
    texts = catalogue(language).texts
    for stem in (
        "headline.ttft",
        "headline.ttfo",
        "headline.e2e",
        "headline.hop",
        "rests.first",
        "rests.total",
    ):
        for word in ("more", "less", "same", "unsure"):
            assert f"{stem}.{word}" in texts


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        (milliseconds(1.234), "1,234 ms"),
        (milliseconds(0.0999), "99.9 ms"),
        (milliseconds(0.09996), "100 ms"),
        (milliseconds(-0.0123), "−12.3 ms"),
        (milliseconds(-0.00001), "0.0 ms"),
        (milliseconds(None), "n/a"),
        (percent(0.357), "36 %"),
        (percent(0.0357), "3.6 %"),
        (percent(None), "n/a"),
        (size(512), "512 B"),
        (size(20_022), "20.0 kB"),
        (size(3_456_789), "3.46 MB"),
        (count(1234), "1,234"),
        (count(2.25), "2.2"),
        (count(None), "n/a"),
        (rate(2.222), "2.22/s"),
    ],
)
def test_figures_print_with_their_unit(printed: str, expected: str) -> None:
    assert printed.replace("\u00a0", " ") == expected


def test_a_figure_is_printed_by_the_unit_in_its_name() -> None:
    words = catalogue("en")
    said = words.say(
        Statement(
            "measured.difference",
            {
                "path": "web",
                "base": "api",
                "difference_s": 0.08,
                "low_s": 0.0712,
                "high_s": None,
                "n": 1000,
                "n_base": 10,
            },
        )
    )
    assert said.replace("\u00a0", " ") == "Web − API: 80.0 ms (71.2 ms to n/a; n = 1,000 and 10)"


def test_a_text_from_outside_is_never_a_template() -> None:
    words = catalogue("en")
    assert words.text("meta.run", run_id="{seed} {0}") == "Run {seed} {0}"
    assert words.name("path", "{path}") == "{path}"


def test_what_a_scenario_may_ask_for_is_there() -> None:
    assert set(REPORT_LANGUAGES) == set(languages())


def test_no_other_language() -> None:
    with pytest.raises(ConfigError, match=r"lang: expected one of .*en"):
        catalogue("../en")
