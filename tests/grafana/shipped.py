"""The dashboards as they are shipped, and what Grafana would make of their texts."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "configs" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {file.stem: json.loads(file.read_text("utf-8")) for file in FILES}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)")


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    ref: str
    expression: str
    legend: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}: {self.ref}"


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All panels but the rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def targets() -> Iterator[Target]:
    """All queries of all panels."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Target(
                    name,
                    panel["title"],
                    target["refId"],
                    target["expr"],
                    target["legendFormat"],
                    target["instant"],
                )


def variables(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables by name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def label_values(variable: Mapping[str, Any]) -> tuple[str, str]:
    """What a variable asks Prometheus for: series, and a label of theirs."""
    found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
    assert found is not None, variable["name"]
    return found[1], found[2]


def named(text: str) -> set[str]:
    """The variables that a text uses."""
    return {braced or bare for braced, bare in _VARIABLE.findall(text)}


def substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with values for variables, Grafana's own included; KeyError where one is unknown."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], text)
