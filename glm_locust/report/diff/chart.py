"""The changes as a chart: a point with its interval per metric, a colour per path."""

from collections.abc import Callable
from typing import Any

from glm_locust.regression import Change, Measure
from glm_locust.report.catalogue import Catalogue
from glm_locust.report.charts import colour_of
from glm_locust.report.diff.difference import Difference
from glm_locust.report.document import Chart


def relative_changes(
    difference: Difference, words: Catalogue, name_of: Callable[[Measure], str]
) -> Chart | None:
    """Changes of whole paths in % of the base; None where there are none."""
    found = [
        change
        for change in difference.changes
        if change.relative is not None and (change.place.task, change.place.level) == (None, None)
    ]
    paths = tuple(dict.fromkeys(change.place.path for change in found))
    measures = tuple(dict.fromkeys(name_of(change.measure) for change in found))
    traces = [
        _trace([change for change in found if change.place.path == path], path, paths, words, name_of)
        for path in paths
    ]
    if not traces:
        return None
    return {
        "data": traces,
        "layout": {
            "scattermode": "group",
            "xaxis": {"ticksuffix": " %", "zeroline": True},
            "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
            "height": 120 + (24 + 18 * len(paths)) * len(measures),
        },
    }


def _trace(
    changes: list[Change],
    path: str,
    paths: tuple[str, ...],
    words: Catalogue,
    name_of: Callable[[Measure], str],
) -> dict[str, Any]:
    intervals = [change.relative for change in changes if change.relative is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "orientation": "h",
        "name": words.name("path", path),
        "offsetgroup": path,
        "y": [name_of(change.measure) for change in changes],
        "x": [round(100 * one.value, 3) for one in intervals],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [
                None if one.high is None else round(100 * (one.high - one.value), 3) for one in intervals
            ],
            "arrayminus": [
                None if one.low is None else round(100 * (one.value - one.low), 3) for one in intervals
            ],
            "thickness": 1.5,
            "width": 5,
            "color": colour_of(paths, path),
        },
        "marker": {"color": colour_of(paths, path), "size": 10},
        "hovertemplate": "%{y}: %{x:.1f} %",
    }
