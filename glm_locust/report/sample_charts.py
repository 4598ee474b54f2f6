"""Charts of samples: the time strip, TTFT by what was met, lags, shares of variance."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from glm_locust.metrics import METRICS, enters_statistics
from glm_locust.report.amounts import SCALES
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.charts import OTHER_COLOURS, PATH_COLOURS
from glm_locust.report.correlation import Correlation
from glm_locust.report.document import Chart
from glm_locust.report.sampling import Sampled
from glm_locust.samples.readings import NS, QUANTITIES, Reading

MOST_POINTS = 700
"""Points of one line; more would only make the page heavier."""
LANES = (
    # quantity, device or "" for any, how many lines at most
    ("busy", "GPU", 4),
    ("sm_clock", "GPU", 4),
    ("throttled", "GPU", 4),
    ("cpu", "", 3),
    ("group_cpu", "", 4),
    ("requests_waiting", "", 2),
)
LINE_COLOURS = ("--other-2", "--other-3", "--layer-in", "--layer-network-in", "--other-1")
"""None of them a path's."""
LANE_PX = 74
GAP_PX = 22
AROUND_S = 2.0


def time_strip(sampled: Sampled, origin_ns: int, words: Catalogue) -> Chart | None:
    """TTFT of every request above what was sampled, on one axis of time; blocks at the foot."""
    lanes: list[tuple[float, str, list[dict[str, Any]], dict[str, Any]]] = []
    dots = _ttft_dots(sampled, origin_ns, words)
    if dots:
        axis = {"ticksuffix": " ms", "type": "log"}
        lanes.append((2.4, words.text("col.ttft"), dots, axis))
    for quantity, device, most in LANES:
        lane = _lane(sampled, quantity, device, most, origin_ns)
        if lane:
            label = words.text(f"strip.{quantity}")
            unit = QUANTITIES[quantity].unit
            axis = {"ticksuffix": SCALES[unit].suffix} | ({"rangemode": "tozero"} if unit != "hertz" else {})
            lanes.append((1.0, label, lane, axis))
    if len(lanes) < 2:
        return None
    blocks = _block_bars(sampled, origin_ns, words)
    lanes.append((0.3, words.text("strip.blocks"), blocks, {"showticklabels": False, "range": [-1, 1]}))
    begin, end = (at - origin_ns / NS for at in _span(sampled))
    return _stacked_lanes(lanes, (round(begin - AROUND_S, 1), round(end + AROUND_S, 1)), words)


def _span(sampled: Sampled) -> tuple[float, float]:
    return min(one.begin_s for one in sampled.blocks), max(one.end_s for one in sampled.blocks)


def _stacked_lanes(
    lanes: Sequence[tuple[float, str, list[dict[str, Any]], dict[str, Any]]],
    span_s: tuple[float, float],
    words: Catalogue,
) -> Chart:
    """One lane below the other, each with its name above its left end."""
    heights = [weight * LANE_PX + GAP_PX for weight, *_ in lanes]
    whole, top = sum(heights), 1.0
    data: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"height": round(whole) + 90, "annotations": names}
    for number, ((_, label, traces, axis), height) in enumerate(zip(lanes, heights, strict=True), 1):
        suffix = "" if number == 1 else str(number)
        bottom, ceiling = top - height / whole, top - GAP_PX / whole
        layout[f"yaxis{suffix}"] = {
            "domain": [round(max(0.0, bottom), 4), round(ceiling, 4)],
            "zeroline": False,
            "nticks": 4,
        } | axis
        name = {"text": label, "x": 0, "y": round(ceiling, 4), "xanchor": "left", "yanchor": "bottom"}
        names.append(name | {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": 11}})
        data += [trace | {"yaxis": f"y{suffix}"} for trace in traces]
        top = bottom
    layout["xaxis"] = {
        "title": {"text": words.text("strip.seconds")},
        "anchor": f"y{len(lanes)}",
        "range": list(span_s),
    }
    return {"data": data, "layout": layout}


def _ttft_dots(sampled: Sampled, origin_ns: int, words: Catalogue) -> list[dict[str, Any]]:
    points: dict[str, list[tuple[float, float]]] = {}
    for record in sampled.joined.records:
        if enters_statistics(record) and (ttft := METRICS["ttft_s"].formula(record)):
            at_s = ((record.submitted_ns or 0) - origin_ns) / NS
            points.setdefault(record.path, []).append((round(at_s, 2), round(ttft[0] * 1000, 1)))
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": words.name("path", path),
            "legendgroup": path,
            "x": [at for at, _ in found],
            "y": [ms for _, ms in found],
            "marker": {"size": 5, "color": path_colour(path), "opacity": 0.75},
            "hovertemplate": "%{x:.1f} s: %{y:.0f} ms",
        }
        for path, found in points.items()
    ]


def _lane(sampled: Sampled, quantity: str, device: str, most: int, origin_ns: int) -> list[dict[str, Any]]:
    chosen = [
        reading
        for reading in sampled.readings.readings.values()
        if reading.quantity == quantity and reading.device.startswith(device) and np.any(reading.values)
    ]
    scale = SCALES[QUANTITIES[quantity].unit].factor
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": reading.name,
            "x": x,
            "y": [round(value * scale, 3) for value in y],
            "line": {"width": 1.3, "color": LINE_COLOURS[i % len(LINE_COLOURS)], "shape": "hv"},
            "showlegend": False,
            "hovertemplate": f"{_safe(reading.name)}: %{{y}} (%{{x:.1f}} s)",
        }
        for i, reading in enumerate(chosen[:most])
        for x, y in (thinned(reading, sampled, origin_ns),)
    ]


def thinned(reading: Reading, sampled: Sampled, origin_ns: int) -> tuple[list[float], list[float]]:
    """Times in s since `origin_ns` and values, as means of neighbours where there are too many."""
    series = sampled.joined.series[reading.name]
    begin, end = _span(sampled)
    within = (series.times_s > begin - AROUND_S) & (series.times_s < end + AROUND_S)
    times, values = series.times_s[within] - origin_ns / NS, series.values[within]
    width = -(-len(times) // MOST_POINTS)
    if width > 1:
        edges = np.arange(0, len(times), width)
        times = times[edges]
        values = np.add.reduceat(values, edges) / np.diff(np.r_[edges, len(values)])
    return [round(float(t), 2) for t in times], [float(v) for v in values]


def _block_bars(sampled: Sampled, origin_ns: int, words: Catalogue) -> list[dict[str, Any]]:
    spans: dict[str, list[tuple[float, float]]] = {}
    for block in sampled.blocks:
        begin, end = (round(at - origin_ns / NS, 2) for at in (block.begin_s, block.end_s))
        spans.setdefault(block.path, []).append((begin, end))
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": words.name("path", path),
            "legendgroup": path,
            "showlegend": False,
            "x": [at for begin, end in found for at in (begin, end, None)],
            "y": [level for _ in found for level in (0, 0, None)],
            "line": {"width": 12, "color": path_colour(path)},
            "hoverinfo": "skip",
        }
        for path, found in spans.items()
    ]


def ttft_by_reading(correlation: Correlation, reading: str, unit: str, words: Catalogue) -> Chart | None:
    """Median and p95 of TTFT over groups of requests that met about the same value, with bands."""
    scale = SCALES[unit]
    traces: list[dict[str, Any]] = []
    for deciles in correlation.deciles:
        if deciles.reading != reading:
            continue
        colour = path_colour(deciles.path)
        name = words.name("path", deciles.path)
        for which, style in (("p50", {"width": 2}), ("p95", {"width": 1, "dash": "dot"})):
            middle = [getattr(one, f"{which}_s") for one in deciles.bins]
            low = [getattr(one, f"{which}_low_s") for one in deciles.bins]
            high = [getattr(one, f"{which}_high_s") for one in deciles.bins]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": name if which == "p50" else f"{name} p95",
                    "legendgroup": deciles.path,
                    "x": [round(one.reading * scale.factor, 4) for one in deciles.bins],
                    "y": [_ms(value) for value in middle],
                    "customdata": [one.n for one in deciles.bins],
                    "error_y": {
                        "type": "data",
                        "symmetric": False,
                        "array": [_ms(max(0.0, h - m)) for h, m in zip(high, middle, strict=True)],
                        "arrayminus": [_ms(max(0.0, m - b)) for b, m in zip(low, middle, strict=True)],
                        "thickness": 1,
                        "width": 4,
                        "color": colour,
                    },
                    "line": style | {"color": colour},
                    "marker": {"color": colour, "size": 7 if which == "p50" else 4},
                    "hovertemplate": "%{x}: %{y:.0f} ms (n = %{customdata})",
                }
            )
    if not traces:
        return None
    layout = {
        "xaxis": {"title": {"text": reading}, "ticksuffix": scale.suffix},
        "yaxis": {"type": "log", "ticksuffix": " ms"},
    }
    return {"data": traces, "layout": layout}


def lags(correlation: Correlation, words: Catalogue) -> Chart | None:
    """For each claimed reading: how TTFT lines up with it, the further apart in time."""
    traces: list[dict[str, Any]] = []
    for i, finding in enumerate(one for one in correlation.judgement.findings if one.lag is not None):
        assert finding.lag is not None
        x = [round(float(lag), 3) for lag in finding.lag.lags_s]
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        band = round(finding.lag.null_band, 4)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": finding.name,
                "x": x,
                "y": [round(float(value), 4) for value in finding.lag.correlation],
                "line": {"width": 2, "color": colour},
                "hovertemplate": "%{x} s: %{y:.2f}",
            }
        )
        traces += [
            {
                "type": "scatter",
                "mode": "lines",
                "name": words.text("lag.band"),
                "showlegend": sign > 0 and i == 0,
                "x": [x[0], x[-1]],
                "y": [sign * band, sign * band],
                "line": {"width": 1, "dash": "dot", "color": "--muted"},
                "hoverinfo": "skip",
            }
            for sign in (1, -1)
        ]
    if not traces:
        return None
    layout = {"xaxis": {"title": {"text": words.text("lag.seconds")}, "ticksuffix": " s"}, "height": 260}
    return {"data": traces, "layout": layout}


def variance(correlation: Correlation, words: Catalogue) -> Chart:
    """One bar: which share of the variance of log TTFT each group adds."""
    colours = dict(zip(("task", "concurrency", "time", "readings"), LINE_COLOURS, strict=False))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": words.text(f"variance.{group}"),
            "y": [""],
            "x": [round(max(0.0, share) * 100, 1)],
            "legendrank": rank,
            "marker": {"color": colours.get(group, "--grid")},
            "hovertemplate": "%{x} %",
        }
        for rank, (group, share) in enumerate(correlation.variance.items())
    ]
    layout = {"barmode": "stack", "xaxis": {"ticksuffix": " %", "range": [0, 100]}, "height": 150}
    return {"data": traces, "layout": layout}


def path_colour(path: str) -> str:
    """The variable of the style for this path."""
    return PATH_COLOURS.get(path, OTHER_COLOURS[0])


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _safe(name: str) -> str:
    """Names of process groups and hosts come from outside; Plotly reads markup in its templates."""
    return "".join(c for c in name if c.isalnum() or c in " ._-:()")
