"""The shipped dashboards: made by the code, complete, laid out, of names that exist."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
from glm_gpu_exporter.metrics import METRICS as EXPORTER_METRICS
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from glm_locust.exposition import FAMILIES
from glm_locust.samples.endpoints import GAUGES
from tests.grafana.shipped import DASHBOARDS, FILES, ROOT, named, panels, substituted, targets, variables
from tools.grafana import written
from tools.grafana.frame import ALERTS

BUILT_IN = {"__rate_interval", "__range"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
ENGINE_NAMES = {
    "vllm:request_queue_time_seconds_bucket",
    "vllm:request_prefill_time_seconds_bucket",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
}
UNITS = {
    *("s", "short", "percentunit", "bytes", "reqps", "hertz", "watt", "celsius", "joule", "none"),
    "dateTimeFromNow",
}
each = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def test_the_files_are_what_the_code_makes() -> None:
    shipped = {file.name: file.read_text("utf-8") for file in FILES}
    assert shipped == written(), "run: python -m tools.grafana"


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """Keys of one JSON text that another lacks."""
    if isinstance(before, dict):
        after = after if isinstance(after, dict) else {}
        return [
            path
            for key, value in before.items()
            for path in (
                [f"{where}.{key}"] if key not in after else lost(value, after[key], f"{where}.{key}")
            )
        ]
    if isinstance(before, list):
        return [path for one, other in zip(before, after, strict=True) for path in lost(one, other, where)]
    return []


@each
def test_grafana_knows_every_key(dashboard: dict[str, Any]) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))
    beyond_the_sdk = {
        f".annotations.list.{key}" for key in ("titleFormat", "textFormat", "useValueForTime", "step")
    }
    assert set(lost(dashboard, again)) <= beyond_the_sdk


@each
def test_panels_do_not_overlap_and_rows_are_full(dashboard: dict[str, Any]) -> None:
    boxes = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    assert all(box["x"] >= 0 and box["x"] + box["w"] <= 24 for _, box in boxes)
    for (name, one), (other_name, other) in combinations(boxes, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (name, other_name)
    area = sum(box["w"] * box["h"] for _, box in boxes)
    assert area == 24 * max(box["y"] + box["h"] for _, box in boxes), "no holes"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@each
def test_every_panel_says_what_it_shows_and_in_which_unit(dashboard: dict[str, Any]) -> None:
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(titles) == len(set(titles))
    for panel in panels(dashboard):
        assert re.fullmatch(r"[A-Z][^_]{3,}", panel["title"]), panel["title"]
        assert len(panel["description"]) > 40, panel["title"]
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit in UNITS or unit.startswith("suffix: "), panel["title"]
        for target in panel["targets"]:
            assert target["legendFormat"]
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each
def test_it_works_with_any_data_source_and_by_import(dashboard: dict[str, Any]) -> None:
    assert variables(dashboard)["datasource"]["type"] == "datasource"
    assert variables(dashboard)["datasource"]["query"] == "prometheus"
    assert "id" not in dashboard or dashboard["id"] is None
    assert re.fullmatch(r"glm-[a-z-]{4,36}", dashboard["uid"])
    uids = set(re.findall(r'"uid": "([^"]+)"', json.dumps(dashboard)))
    assert uids == {dashboard["uid"], "${datasource}"}
    assert dashboard["schemaVersion"] >= 39


@each
def test_every_variable_is_used_and_every_used_one_is_there(dashboard: dict[str, Any]) -> None:
    known = variables(dashboard)
    texts = [json.dumps(panel) for panel in panels(dashboard)]
    texts += [json.dumps(variable["query"]) for variable in known.values()]
    used = set().union(*(named(text) for text in texts)) - BUILT_IN
    assert used == set(known)
    for variable in known.values():
        assert variable["label"]
        assert variable["description"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2, "on time range change: a past run has its own"


def names_in(expression: str) -> set[str]:
    """Metrics of a query."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:glm|gpu|host|process_group|vllm)[_:][a-z0-9_]+", bare))


def served() -> set[str]:
    """Whatever load test, exporter and engine serve."""
    ours = {name + suffix for name, family in FAMILIES.items() for suffix in SUFFIXES[family.kind]}
    return ours | {metric.name for metric in EXPORTER_METRICS} | set(GAUGES) | ENGINE_NAMES


def test_queries_ask_for_what_is_served() -> None:
    asked = set().union(*(names_in(target.expression) for target in targets()))
    assert asked <= served()
    shown = {name.removesuffix("_bucket") for name in asked}
    assert FAMILIES.keys() - shown == {"glm_run_start_time_seconds"}, "which is an annotation"


def test_counters_are_rates_or_whole_runs() -> None:
    for target in targets():
        bare = target.expression
        for found in re.finditer(r"\b[\w:]+(?:_total|_bucket)\{[^}]*\}(\[\$__\w+\])?", bare):
            before = bare[: found.start()]
            if found[1]:
                assert before.endswith(("rate(", "increase(")), str(target)
            else:
                rest = bare[found.end() :]
                assert rest.startswith(' and on (job, instance) glm_run_info{run_id=~"$run"})'), str(target)


def test_quantiles_are_of_merged_histograms_and_never_averaged() -> None:
    for target in targets():
        for found in re.finditer(r"histogram_quantile\(", target.expression):
            assert target.expression[found.end() :].split(", ", 1)[1].startswith("sum by (le"), str(target)
        assert not re.search(r"avg[^(]*\(histogram_quantile", target.expression)
    for dashboard in DASHBOARDS.values():
        for panel in panels(dashboard):
            calculations = panel.get("options", {}).get("legend", {}).get("calcs", [])
            assert "mean" not in calculations, panel["title"]


def test_substitution_fills_in_what_grafana_fills_in() -> None:
    text = 'rate(x{path=~"$path",le="${bound}",n=~"${n:regex}"}[$__rate_interval])'
    filled = substituted(text, {"path": "api", "bound": "2.0", "n": "1", "__rate_interval": "20s"})
    assert filled == 'rate(x{path=~"api",le="2.0",n=~"1"}[20s])'
    with pytest.raises(KeyError):
        substituted("$unknown", {})


def test_the_objectives_offered_are_bounds_of_the_buckets() -> None:
    offered = variables(DASHBOARDS["load-test"])["ttft_objective"]["query"].split(",")
    assert {float(bound) for bound in offered} <= set(FAMILIES["glm_ttft_seconds"].bounds_s)
    assert offered == [repr(float(bound)) for bound in offered], "as they are served"


def test_the_marks_are_of_the_alerts_that_are_shipped() -> None:
    rules = (ROOT / "configs" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    assert sorted(ALERTS) == sorted(re.findall(r"alert: (\w+)", rules))
    for dashboard in DASHBOARDS.values():
        begins, alerts = (found["expr"] for found in dashboard["annotations"]["list"])
        assert names_in(begins) <= served()
        assert all(name in alerts for name in ALERTS)
