"""What all dashboards have around their panels: data source, choice of a run, links, annotations."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from tools.grafana.panels import DATASOURCE
from tools.grafana.queries import RUN

TAG = "glm-locust"
ALERTS = (
    *("GpuExporterDown", "GpuGone", "GpuDriverFails", "GpuXid", "GpuPowerCapped", "GpuThermal"),
    *("GpuMemoryNearlyFull", "TtftSloMissed", "LlmErrors", "LoadGeneratorSaturated", "LoadGeneratorLate"),
    *("LoadGeneratorReadsLate", "WorkersLost", "RequestsStuck", "EngineQueue", "EngineCacheNearlyFull"),
)
"""The alerts of configs/prometheus/rules.yml, of all that a Prometheus may have."""
Panel = Builder[model.Panel]
ALL = model.VariableOption(selected=True, text="All", value="$__all")


class _Annotation(model.AnnotationQuery):
    """With the fields that Grafana's Prometheus data source reads beyond the SDK's."""

    def __init__(self, *, name: str, expr: str, color: str, title: str, text: str, value_is_ms: bool) -> None:
        super().__init__(name=name, datasource=DATASOURCE, enable=True, icon_color=color, expr=expr)
        self._more: dict[str, object] = {
            "titleFormat": title,
            "textFormat": text,
            "useValueForTime": value_is_ms,
            "step": "5s",
        }

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self._more}


class _Annotated(build.AnnotationQuery):
    """What the SDK takes: a builder."""

    def __init__(self, annotation: _Annotation) -> None:
        super().__init__()
        self._internal = annotation


_BEGINS = _Annotation(
    name="Runs",
    expr=f"1000 * glm_run_start_time_seconds * on (job, instance) group_left (run_id) {RUN}",
    color="blue",
    title="Run {{run_id}}",
    text="begins",
    value_is_ms=True,
)
_ALERTS = _Annotation(
    name="Alerts",
    expr=f'ALERTS{{alertstate="firing",alertname=~"{"|".join(ALERTS)}"}}',
    color="red",
    title="{{alertname}}",
    text="{{instance}} {{path}} {{worker}} {{gpu}}",
    value_is_ms=False,
)


def frame(
    uid: str, title: str, description: str, variables: Sequence[build.QueryVariable]
) -> build.Dashboard:
    """A dashboard without panels."""
    dashboard = (
        build.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .editable()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-15m", "now")
        .timezone("browser")
        .timepicker(build.TimePicker().refresh_intervals(["1s", "5s", "10s", "30s", "1m"]))
        .link(
            build.DashboardLink("glm_locust")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        .annotation(_Annotated(_BEGINS))
        .annotation(_Annotated(_ALERTS))
        .with_variable(
            build.DatasourceVariable("datasource")
            .label("Prometheus")
            .description("The Prometheus that scrapes the load test, or holds imported runs")
            .type("prometheus")
        )
        .with_variable(
            chosen(
                "run",
                "Run",
                "label_values(glm_run_info, run_id)",
                "Runs that were on in the time shown",
                multi=False,
            ).sort(model.VariableSort.ALPHABETICAL_DESC)
        )
    )
    for variable in variables:
        dashboard.with_variable(variable)
    return dashboard


def add_row(dashboard: build.Dashboard, title: str, *panels: Panel) -> None:
    """A row and its panels."""
    dashboard.with_row(build.Row(title))
    for panel in panels:
        dashboard.with_panel(panel)


def chosen(name: str, label: str, query: str, description: str, *, multi: bool = True) -> build.QueryVariable:
    """A variable whose values Prometheus has, all of them unless chosen."""
    return (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .regex("")
        .sort(model.VariableSort.NATURAL_ASC)
        .multi(multi)
        .include_all(True)
        .all_value(".*")
        .current(ALL)
    )


def path() -> build.QueryVariable:
    """By which ways questions went."""
    return chosen(
        "path", "Path", "label_values(glm_in_flight, path)", "Ways to the model: api, web, web-jupyter, .."
    )


def task() -> build.QueryVariable:
    """Which kinds of questions."""
    return chosen("task", "Task", "label_values(glm_requests_total, task)", "Kinds of questions")
