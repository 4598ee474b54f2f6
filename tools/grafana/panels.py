"""Panels as these dashboards use them; what they share is said here once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as commons
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
COARSE_STEP = "5s"
"""Smallest step of coarse queries: $__rate_interval is then at least 20 s."""
QUANTILES = (0.5, 0.95, 0.99)
GREEN, YELLOW, RED = "green", "yellow", "red"

_Single = TypeVar("_Single", stat.Panel, bargauge.Panel)


@dataclass(frozen=True)
class Query:
    """One query of a panel, and the name of its series."""

    expression: str
    legend: str
    coarse: bool = False
    """In steps of 5 s: it needs the requests of many seconds, or changes slowly."""
    exemplars: bool = False


@dataclass(frozen=True)
class Limits:
    """Where a value becomes worth a look, and where it is bad."""

    look: float
    bad: float
    falling: bool = False
    """Whether small values are the bad ones."""


def chart(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    span: int = 12,
    limits: Limits | None = None,
    stacked: bool = False,
    bars: bool = False,
    least: float | None = 0,
    most: float | None = None,
    totals: bool = True,
) -> timeseries.Panel:
    """Lines over time; `totals`: the legend shows last and largest values."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(span)
        .height(8)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(commons.VisibilityMode.AUTO)
        .color_scheme(FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(_legend(totals))
        .tooltip(
            common.VizTooltipOptions()
            .mode(commons.TooltipDisplayMode.MULTI)
            .sort(commons.SortOrder.DESCENDING)
        )
    )
    if least is not None:
        panel.min(least)
    if most is not None:
        panel.max(most)
    if stacked:
        panel.stacking(common.StackingConfig().mode(commons.StackingMode.NORMAL))
    if bars:
        panel.draw_style(commons.GraphDrawStyle.BARS)
    if limits is not None:
        panel.thresholds(_thresholds(limits))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(commons.GraphThresholdsStyleMode.DASHED)
        )
    return panel.targets(_targets(queries))


def on_the_right(
    panel: timeseries.Panel, begins: str, unit: str, label: str, most: float | None = None
) -> timeseries.Panel:
    """Series whose names begin so have an axis of their own, and dashes."""
    properties: list[tuple[str, Any]] = [
        ("unit", unit),
        ("custom.axisLabel", label),
        ("custom.axisPlacement", "right"),
        ("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
        ("custom.fillOpacity", 0),
        ("min", 0),
    ]
    if most is not None:
        properties.append(("max", most))
    return panel.axis_label("TTFT").override_by_regexp(
        f"/^{begins}/", [model.DynamicConfigValue(id_val=name, value=value) for name, value in properties]
    )


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    span: int = 3,
    limits: Limits | None = None,
    decimals: int | None = None,
    none: str = "no data",
    named: bool = False,
) -> stat.Panel:
    """One number, or one for each series, of the time shown; `named`: with the names of the series."""
    panel = (
        _single(
            stat.Panel(),
            title=title,
            description=description,
            unit=unit,
            query=query,
            span=span,
            limits=limits,
            none=none,
        )
        .height(4)
        .graph_mode(commons.BigValueGraphMode.NONE)
        .color_mode(commons.BigValueColorMode.VALUE if limits else commons.BigValueColorMode.NONE)
        .text_mode(commons.BigValueTextMode.VALUE_AND_NAME if named else commons.BigValueTextMode.VALUE)
        .reduce_options(_last())
    )
    return panel if decimals is None else panel.decimals(decimals)


def words(title: str, description: str, query: Query, *, span: int) -> stat.Panel:
    """The names of series, which say it all."""
    return number(title, description, "none", query, span=span).text_mode(commons.BigValueTextMode.NAME)


def bars(
    title: str, description: str, unit: str, query: Query, *, span: int = 12, limits: Limits | None = None
) -> bargauge.Panel:
    """One bar for each series, of the time shown."""
    return (
        _single(
            bargauge.Panel(),
            title=title,
            description=description,
            unit=unit,
            query=query,
            span=span,
            limits=limits,
            none="no data",
        )
        .height(10)
        .orientation(commons.VizOrientation.HORIZONTAL)
        .display_mode(commons.BarGaugeDisplayMode.BASIC)
        .reduce_options(_last())
    )


def distribution(title: str, description: str, expression: str, *, span: int = 12) -> heatmap.Panel:
    """Requests a second by the bucket of a histogram."""
    query = _target(Query(expression, "{{le}}", coarse=True), 0).format(PromQueryFormat.HEATMAP)
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("reqps")
        .span(span)
        .height(8)
        .calculate(False)
        .cell_gap(1)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Turbo")
            .fill("dark-orange")
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.5)
            .steps(64)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .cell_values(heatmap.CellValues().unit("reqps").decimals(2))
        .y_axis(heatmap.YAxisConfig().unit("s").axis_placement(commons.AxisPlacement.LEFT))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(commons.HeatmapCellLayout.AUTO))
        .mode(commons.TooltipDisplayMode.SINGLE)
        .show_y_histogram()
        .show_legend()
        .with_target(query)
    )


def states(
    title: str, description: str, query: Query, names: dict[int, tuple[str, str]], *, span: int = 12
) -> statetimeline.Panel:
    """Which state was when; `names`: value -> text and colour."""
    options = {
        str(value): model.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(names.items())
    }
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("none")
        .span(span)
        .height(8)
        .mappings([model.ValueMap(options)])
        .color_scheme(FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(commons.VisibilityMode.AUTO)
        .row_height(0.8)
        .legend(_legend(totals=False))
        .targets(_targets([query]))
    )


def quantiles(expressions: Sequence[str], shares: Sequence[float] = QUANTILES) -> list[Query]:
    """Queries of quantiles over a moving window, the p95 with exemplars."""
    return [
        Query(expression, f"p{share * 100:g}", coarse=True, exemplars=share == 0.95)
        for share, expression in zip(shares, expressions, strict=True)
    ]


def _single(
    panel: _Single,
    *,
    title: str,
    description: str,
    unit: str,
    query: Query,
    span: int,
    limits: Limits | None,
    none: str,
) -> _Single:
    panel.title(title).description(description).datasource(DATASOURCE).unit(unit).span(span).no_value(none)
    panel.with_target(_target(query, 0).instant())
    mode = model.FieldColorModeId.THRESHOLDS if limits else model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    panel.color_scheme(FieldColor().mode(mode))
    if limits is not None:
        panel.thresholds(_thresholds(limits))
    return panel


def _targets(queries: Sequence[Query]) -> list[Any]:
    return [_target(query, index) for index, query in enumerate(queries)]


def _target(query: Query, index: int) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + index))
        .datasource(DATASOURCE)
        .expr(query.expression)
        .legend_format(query.legend)
        .range()
    )
    if query.coarse:
        target.interval(COARSE_STEP)
    if query.exemplars:
        target.exemplar(True)
    return target


def _thresholds(limits: Limits) -> ThresholdsConfig:
    colors = (RED, YELLOW, GREEN) if limits.falling else (GREEN, YELLOW, RED)
    values = (None, *sorted((limits.look, limits.bad)))
    steps = [model.Threshold(value=value, color=color) for value, color in zip(values, colors, strict=True)]
    return ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _legend(totals: bool) -> common.VizLegendOptions:
    legend = common.VizLegendOptions().placement(commons.LegendPlacement.BOTTOM).show_legend(True)
    if not totals:
        return legend.display_mode(commons.LegendDisplayMode.LIST).calcs([])
    return legend.display_mode(commons.LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().values(False).calcs(["lastNotNull"])
