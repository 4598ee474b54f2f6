"""The charts, as Plotly figures without colours of their own.

Every function gives None where there is nothing to draw. Times are in ms.
"""

from collections.abc import Sequence
from typing import Any

from glm_locust.layers import STACK, Layer
from glm_locust.report import article
from glm_locust.report.breakdown import Breakdown, LayerRow
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.comparison import Overhead
from glm_locust.report.document import Chart
from glm_locust.report.findings import API, JUPYTER, WEB, Findings

PATH_COLOURS = {API: "--api", WEB: "--web", JUPYTER: "--jupyter"}
OTHER_COLOURS = ("--other-1", "--other-2", "--other-3")
LAYER_COLOURS = {
    Layer.SEND_LAG: "--layer-lag",
    Layer.NETWORK_IN: "--layer-network-in",
    Layer.STREAMLIT_IN: "--layer-in",
    Layer.MODEL: "--layer-model",
    Layer.NETWORK_OUT: "--layer-network-out",
    Layer.STREAMLIT_OUT: "--layer-out",
}
CLAIMED_IN_SCALE = 3
"""The article's figures are drawn from the start unless they are this many times larger than ours."""


def colour_of(paths: Sequence[str], path: str) -> str:
    """The variable of the style that a path is drawn in."""
    if path in PATH_COLOURS:
        return PATH_COLOURS[path]
    others = [one for one in paths if one not in PATH_COLOURS]
    return OTHER_COLOURS[others.index(path) % len(OTHER_COLOURS)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _figure(traces: list[dict[str, Any]], layout: dict[str, Any]) -> Chart | None:
    return {"data": traces, "layout": layout} if traces else None


def _axis_ms() -> dict[str, Any]:
    return {"ticksuffix": " ms", "rangemode": "tozero", "zeroline": True}


def times_by_task(findings: Findings, words: Catalogue) -> Chart | None:
    """Bars: median by task and path, whisker to p95; diamonds: the article."""
    traces: list[dict[str, Any]] = []
    tallest = 0.0
    for path in findings.paths:
        found = [
            (task, stat)
            for task in findings.task_ids
            if (stats := findings.at_table_level(task).get(path)) is not None
            and (stat := stats.metrics.get(findings.compared_on)) is not None
        ]
        if not found:
            continue
        tallest = max(tallest, *(stat.p50 for _, stat in found))
        traces.append(
            {
                "type": "bar",
                "name": words.name("path", path),
                "offsetgroup": path,
                "x": [words.name("task", task) for task, _ in found],
                "y": [_ms(stat.p50) for _, stat in found],
                "customdata": [stat.n for _, stat in found],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [
                        _ms(stat.p95 - stat.p50) if stat.p95 is not None else None for _, stat in found
                    ],
                    "arrayminus": [None] * len(found),
                    "thickness": 1,
                    "width": 3,
                    "color": "--muted",
                },
                "marker": {"color": colour_of(findings.paths, path)},
                "hovertemplate": "%{x}: %{y:.0f} ms (n = %{customdata})",
            }
        )
    if traces:
        traces += _claimed_diamonds(findings, words, tallest)
    return _figure(traces, {"barmode": "group", "scattermode": "group", "yaxis": _axis_ms()})


def _claimed_diamonds(findings: Findings, words: Catalogue, tallest_s: float) -> list[dict[str, Any]]:
    page = JUPYTER if JUPYTER in findings.paths else WEB
    claimed = {task: row for task, row in article.CLAIMED_TIMES.items() if task in findings.task_ids}
    far_off = max((row.web_ttft_s for row in claimed.values()), default=0) > CLAIMED_IN_SCALE * tallest_s
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"{words.text('col.article')}: {words.name('path', path)}",
            "offsetgroup": path,
            "x": [words.name("task", task) for task in claimed],
            "y": [_ms(getattr(row, column)) for row in claimed.values()],
            "marker": {"symbol": "diamond-open", "size": 9, "color": "--text", "line": {"width": 1.5}},
            "visible": "legendonly" if far_off else True,
            "hovertemplate": "%{x}: %{y:.0f} ms",
        }
        for path, column in ((API, "api_ttft_s"), (page, "web_ttft_s"))
        if claimed and path in findings.paths
    ]


def _interval_bars(rows: Sequence[Overhead]) -> dict[str, Any]:
    intervals = [row.p50.difference for row in rows]
    return {
        "type": "data",
        "symmetric": False,
        "array": [_ms(one.high - one.value) if one.high is not None else None for one in intervals],
        "arrayminus": [_ms(one.value - one.low) if one.low is not None else None for one in intervals],
        "thickness": 1.5,
        "width": 5,
    }


def _added_trace(
    findings: Findings, words: Catalogue, rows: Sequence[Overhead], places: Sequence[str], mode: str
) -> dict[str, Any]:
    row = rows[0]
    colour = colour_of(findings.paths, row.path)
    to_api = row.base == API
    return {
        "type": "scatter",
        "mode": mode,
        "name": words.text("pair", path=row.path, base=row.base),
        "offsetgroup": f"{row.path}-{row.base}",
        "x": list(places),
        "y": [_ms(one.p50.difference.value) for one in rows],
        "customdata": [one.p50.n for one in rows],
        "error_y": _interval_bars(rows) | {"color": colour},
        "marker": {"color": colour, "size": 10, "symbol": "circle" if to_api else "circle-open"},
        "line": {"color": colour, "width": 2, "dash": "solid" if to_api else "dot"},
        "hovertemplate": "%{x}: %{y:.1f} ms (n = %{customdata})",
    }


def added_by_task(findings: Findings, words: Catalogue) -> Chart | None:
    """Points with interval: what each path adds to its base, by task."""
    traces = []
    for pair in findings.pairs:
        rows = [
            row
            for task in findings.task_ids
            if (row := findings.at_lowest(pair.path, pair.base, findings.compared_on, task)) is not None
        ]
        if rows:
            places = [words.name("task", row.task or "") for row in rows]
            traces.append(_added_trace(findings, words, rows, places, "markers"))
    return _figure(traces, {"scattermode": "group", "yaxis": _axis_ms()})


def times_by_level(findings: Findings, words: Catalogue) -> Chart | None:
    """Lines: median and p95 over concurrency."""
    if len(findings.levels) < 2:
        return None
    traces: list[dict[str, Any]] = []
    for path in findings.paths:
        colour = colour_of(findings.paths, path)
        found = [
            (level, stat)
            for level, stats in findings.by_level.items()
            if path in stats.paths
            and (stat := stats.paths[path].metrics.get(findings.compared_on)) is not None
        ]
        name = words.name("path", path)
        for suffix, points, style in (
            ("", [(level, stat.p50, stat.n) for level, stat in found], {"width": 2.5}),
            (
                " p95",
                [(level, stat.p95, stat.n) for level, stat in found if stat.p95 is not None],
                {"width": 1, "dash": "dot"},
            ),
        ):
            if points:
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "lines+markers",
                        "name": name + suffix,
                        "legendgroup": path,
                        "x": [str(level) for level, _, _ in points],
                        "y": [_ms(seconds) for _, seconds, _ in points],
                        "customdata": [n for _, _, n in points],
                        "line": style | {"color": colour},
                        "marker": {"color": colour, "size": 4 if suffix else 8},
                        "hovertemplate": "%{x}: %{y:.0f} ms (n = %{customdata})",
                    }
                )
    return _figure(traces, {"xaxis": _level_axis(findings, words), "yaxis": _axis_ms()})


def added_by_level(findings: Findings, words: Catalogue) -> Chart | None:
    """Lines with interval: what each path adds to the API, over concurrency."""
    if len(findings.levels) < 2:
        return None
    traces = []
    for pair in findings.pairs:
        rows = [
            row
            for level in findings.levels
            if (row := findings.overhead(pair.path, pair.base, findings.compared_on, level=level)) is not None
        ]
        if rows and pair.base == API:
            places = [str(row.level) for row in rows]
            traces.append(_added_trace(findings, words, rows, places, "lines+markers"))
    return _figure(traces, {"xaxis": _level_axis(findings, words), "yaxis": _axis_ms()})


def _level_axis(findings: Findings, words: Catalogue) -> dict[str, Any]:
    return {
        "type": "category",
        "categoryarray": [str(level) for level in findings.levels],
        "title": {"text": words.text("col.level")},
    }


def layers_by_path(findings: Findings, breakdown: Breakdown, words: Catalogue) -> Chart | None:
    """Stacked bars: the layers of the mean TTFT, a bar a path; means, so that they add up."""
    rows = [row for row in breakdown.rows if row.task is None]

    def label(row: LayerRow) -> str:
        name = words.name("path", row.path)
        if len(findings.levels) < 2 or row.level is None:
            return name
        return words.text("layers.at_level", path=row.path, level=row.level)

    traces: list[dict[str, Any]] = []
    for layer in STACK:
        found = [(row, row.layers[layer]) for row in rows if layer in row.layers]
        if found:
            traces.append(
                {
                    "type": "bar",
                    "orientation": "h",
                    "name": words.name("layer", layer),
                    "y": [label(row) for row, _ in found],
                    "x": [_ms(stat.mean) for _, stat in found],
                    "customdata": [stat.n for _, stat in found],
                    "marker": {"color": LAYER_COLOURS[layer]},
                    "hovertemplate": "%{x:.1f} ms (n = %{customdata})",
                }
            )
    return _figure(traces, _stacked(len(rows)))


def claimed_layers(findings: Findings, words: Catalogue) -> Chart | None:
    """Stacked bars: the layers that the article claims, and what the paired paths show."""
    first = findings.compared_on
    streamlit, hop = findings.at_lowest(WEB, API, first), findings.at_lowest(JUPYTER, WEB, first)
    if streamlit is None and hop is None:
        return None
    article_row, run_row = words.text("col.article"), words.text("col.measured")
    columns: tuple[tuple[str, float, Overhead | None, str], ...] = (
        (words.text("layer.streamlit"), article.CLAIMED_STREAMLIT_S, streamlit, "--web"),
        (words.text("layer.jupyter"), article.CLAIMED_JUPYTER_S, hop, "--jupyter"),
        (words.text("layer.browser"), sum(article.CLAIMED_BROWSER_S) / 2, None, "--other-1"),
    )
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [article_row, *([run_row] if row else [])],
            "x": [_ms(claimed_s), *([_ms(row.p50.difference.value)] if row else [])],
            "marker": {"color": colour},
            "hovertemplate": "%{y}: %{x:.0f} ms",
        }
        for name, claimed_s, row, colour in columns
    ]
    return _figure(traces, _stacked(2))


def _stacked(bars: int) -> dict[str, Any]:
    return {
        "barmode": "relative",
        "bargap": 0.35,
        "xaxis": _axis_ms(),
        "yaxis": {"autorange": "reversed", "automargin": True},
        "height": 130 + 46 * bars,
    }
