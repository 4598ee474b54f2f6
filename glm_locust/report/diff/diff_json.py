"""diff.json: the comparison for machines; `docs/diff.schema.json` says what is in it."""

import json
from dataclasses import asdict
from typing import Any

from glm_locust.overhead import Interval
from glm_locust.regression import Change
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.diff.difference import Decision, Difference, Side
from glm_locust.report.diff.document import name_of, sentences

SCHEMA_VERSION = 1
"""Raised when a key changes its meaning or goes away; new keys raise nothing."""


def diff_json(difference: Difference, words: Catalogue) -> str:
    """The whole file; durations are seconds, shares are fractions of 1."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "language": words.language,
        "base": _side(difference.base, words),
        "new": _side(difference.new, words),
        "different_workload": list(difference.workload),
        "smallest_change": difference.smallest_change,
        "headline": list(sentences(difference, words)),
        "ruling": difference.ruling.value if difference.decisions else None,
        "conditions": [_decision(decision) for decision in difference.decisions],
        "changes": [_change(change) for change in difference.changes],
    }
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _side(side: Side, words: Catalogue) -> dict[str, Any]:
    header, footer = side.ends.header, side.ends.footer
    return {
        "run_id": header.run_id,
        "directory": str(side.directory),
        "reason": footer.reason if footer else "no_footer",
        "partial": footer.partial if footer else True,
        "measured": side.measured,
        "troubles": [words.say(trouble) for trouble in side.troubles],
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "condition": decision.condition.text,
        "ruling": decision.ruling.value,
        "changes": [_place(change) for change in decision.changes],
    }


def _place(change: Change) -> dict[str, Any]:
    return {"measure": name_of(change.measure), **asdict(change.place)}


def _change(change: Change) -> dict[str, Any]:
    return {
        **_place(change),
        "unit": change.measure.unit,
        "n_base": change.n_base,
        "n_new": change.n_new,
        "base": change.base,
        "new": change.new,
        "difference": _interval(change.difference),
        "relative": _interval(change.relative) if change.relative else None,
        "p": change.p,
        "p_adjusted": change.p_adjusted,
        "verdict": change.verdict.value,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}
