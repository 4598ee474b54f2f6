"""Every query of every panel and variable, asked of a real Prometheus that a real run has fed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_locust.metrics import METRICS
from glm_locust.records import Phase, RequestRecord
from tests.exposition.test_live import bucket_of, p95_bounds
from tests.grafana.play import Watched, imported, played
from tests.grafana.shipped import DASHBOARDS, panels, targets, variables
from tests.plugin.team import read

pytestmark = [pytest.mark.servers, pytest.mark.compiler, pytest.mark.prometheus]

NOT_IMPORTED = {
    "CPU of each worker": "records do not hold the CPU share of workers",
    "GPUs": "gpu_info is no sample",
    "Time held back": "throttle reasons are samples of a mask, not of time by reason",
    "Held back by reason": "the same",
    "Last XID error": "XID errors are no samples",
    "Queue and prefill, p95": "histograms of engines are not exported",
    "GPU memory by process group": "a sum that the exporter makes for scrapes only",
}
"""Panels that an imported run leaves empty; their descriptions say so."""

OPEN_LOOP = "Arrivals a second (open loop)"
"""A panel that the run here, a closed loop, leaves empty."""

UNDERWAY_S = 8.0
"""From the end of a request to a look at a scrape that knows it; totals are looked at every 5 s."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Watched, Path]]:
    with played(tmp_path_factory.mktemp("live")) as found:
        yield found


@pytest.fixture(scope="module")
def live(run: tuple[Watched, Path]) -> Watched:
    return run[0]


@pytest.fixture(scope="module")
def past(run: tuple[Watched, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with imported(run[1], tmp_path_factory.mktemp("imported")) as found:
        yield found


@pytest.fixture(scope="module")
def measured(run: tuple[Watched, Path]) -> list[RequestRecord]:
    return [record for record in read(run[1]).records if record.phase is Phase.MEASURE]


def empty(watched: Watched) -> list[str]:
    """Queries without data."""
    return [
        str(target) for target in targets() if not watched.answer(target.expression, instant=target.instant)
    ]


def test_every_query_has_data_while_a_run_is_on(live: Watched) -> None:
    assert empty(live) == [str(target) for target in targets() if target.panel == OPEN_LOOP]


def test_every_query_has_data_of_an_imported_run(past: Watched) -> None:
    expected = [str(target) for target in targets() if target.panel in {*NOT_IMPORTED, OPEN_LOOP}]
    assert empty(past) == expected


def test_panels_say_what_an_import_lacks() -> None:
    says = {
        panel["title"]
        for dashboard in DASHBOARDS.values()
        for panel in panels(dashboard)
        if panel["description"].endswith("Not in imported runs.")
    }
    assert says == {*NOT_IMPORTED, OPEN_LOOP}


def test_legends_name_labels_that_are_there(live: Watched) -> None:
    for target in targets():
        wanted = set(re.findall(r"\{\{(\w+)\}\}", target.legend))
        for series in live.answer(target.expression, instant=target.instant):
            assert wanted <= set(series["labels"]), str(target)


def test_series_of_a_panel_have_names_of_their_own(live: Watched) -> None:
    seen: dict[tuple[str, str], list[str]] = {}
    for target in targets():
        for series in live.answer(target.expression, instant=target.instant):
            name = target.legend
            for label, value in series["labels"].items():
                name = name.replace("{{" + label + "}}", value)
            seen.setdefault((target.dashboard, target.panel), []).append(name)
    for panel, names in seen.items():
        assert len(names) == len(set(names)), (panel, names)


@pytest.mark.parametrize("which", ["live", "past"])
def test_every_variable_has_values(which: str, request: pytest.FixtureRequest) -> None:
    watched: Watched = request.getfixturevalue(which)
    expected = {"run": [watched.run_id], "task": ["chart", "ocr"], "gpu": ["0"]}
    expected |= {name: ["api", "web"] for name in ("path", "baseline", "page")}
    for name, dashboard in DASHBOARDS.items():
        for variable in variables(dashboard).values():
            if variable["type"] != "query":
                continue
            found = watched.options(variable)
            assert found, (name, variable["name"])
            assert found == expected.get(variable["name"], found), (name, variable["name"])


def one(watched: Watched, dashboard: str, panel: str, ref: str = "A", **labels: str) -> float:
    """The last number of the one series."""
    (target,) = (t for t in targets() if (t.dashboard, t.panel, t.ref) == (dashboard, panel, ref))
    found = [
        series
        for series in watched.answer(target.expression, instant=target.instant)
        if labels.items() <= series["labels"].items()
    ]
    assert len(found) == 1, (panel, found)
    value: float = found[0]["values"][-1]
    return value


def surely_seen(watched: Watched, which: str, measured: list[RequestRecord]) -> list[RequestRecord]:
    """Of a headless master's last requests the last scrapes knew nothing yet; an export has all."""
    if which == "past":
        return measured
    last_s = max(at_s for at_s, up in watched.prometheus.raw('up{job="glm"}[10m]') if up)
    return [record for record in measured if record.finished_ns * 1e-9 < last_s - UNDERWAY_S]


@pytest.mark.parametrize("which", ["live", "past"])
def test_the_figures_are_those_of_the_run(
    which: str, measured: list[RequestRecord], request: pytest.FixtureRequest
) -> None:
    watched: Watched = request.getfixturevalue(which)
    seen = surely_seen(watched, which, measured)
    assert len(seen) <= one(watched, "load-test", "Measured requests") <= len(measured)
    bounds = [p95_bounds([r for r in records if r.outcome == "ok"]) for records in (seen, measured)]
    lowest, highest = min(low for low, _ in bounds), max(high for _, high in bounds)
    assert lowest <= one(watched, "load-test", "TTFT p95") <= highest
    failed = one(watched, "load-test", "Failed")
    few, many = (sum(r.outcome == "failed" for r in records) for records in (seen, measured))
    assert few
    assert few / len(measured) <= failed <= many / len(seen)
    assert one(watched, "load-test", "Workers lost") == 0


@pytest.mark.parametrize("which", ["live", "past"])
def test_the_gap_is_that_of_the_run(
    which: str, measured: list[RequestRecord], request: pytest.FixtureRequest
) -> None:
    watched: Watched = request.getfixturevalue(which)
    seen = surely_seen(watched, which, measured)
    low, high = {}, {}
    for path in ("api", "web"):
        edges = [median_bounds([r for r in records if r.path == path]) for records in (seen, measured)]
        low[path], high[path] = min(edge for edge, _ in edges), max(edge for _, edge in edges)
    gap = one(watched, "web-versus-api", "Added to the median TTFT", path="web")
    assert low["web"] - high["api"] <= gap <= high["web"] - low["api"]


def median_bounds(records: list[RequestRecord]) -> tuple[float, float]:
    """The edges of the buckets that hold the values around the median."""
    good = [record for record in records if record.outcome == "ok"]
    values = sorted(value for record in good for value in METRICS["ttft_s"].formula(record))
    middle = len(values) // 2
    return bucket_of(values[middle - 1])[0], bucket_of(values[middle + 1])[1]


def test_another_run_is_left_out(live: Watched) -> None:
    (target,) = (t for t in targets() if (t.dashboard, t.panel) == ("load-test", "Measured requests"))
    other = Watched(live.prometheus, "none", live.begins_s, live.ends_s, live.values | {"run": "none"})
    assert other.answer(target.expression, instant=True) == []


def test_annotations_are_answered(live: Watched) -> None:
    for dashboard in DASHBOARDS.values():
        begins, alerts = dashboard["annotations"]["list"]
        (series,) = live.answer(begins["expr"], instant=False)
        assert series["labels"]["run_id"] == live.run_id
        assert series["values"][0] == pytest.approx(live.begins_s * 1000, abs=2)
        named = {series["labels"]["alertname"] for series in live.answer(alerts["expr"], instant=False)}
        assert "GpuXid" in named
