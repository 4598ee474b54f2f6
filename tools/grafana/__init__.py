"""The Grafana dashboards as code: `python -m tools.grafana` writes `configs/grafana/dashboards/*.json`.

Built by the typed SDK in its Grafana 11 flavour, which is needed here only.
"""

import json
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import RowPanel

from tools.grafana import gpu_and_ttft, load_test, web_versus_api

BUILDERS = {
    "load-test": load_test.built,
    "web-versus-api": web_versus_api.built,
    "gpu-and-ttft": gpu_and_ttft.built,
}


def written() -> dict[str, str]:
    """File name -> text of every dashboard."""
    return {f"{name}.json": _text(build()) for name, build in BUILDERS.items()}


def catalogue() -> str:
    """The table of docs/GRAFANA.md: what each row of each dashboard shows."""
    lines = ["| dashboard | row | panels |", "|---|---|---|"]
    for text in written().values():
        dashboard = json.loads(text)
        rows: list[tuple[str, list[str]]] = []
        for panel in dashboard["panels"]:
            if panel["type"] == "row":
                rows.append((panel["title"], []))
            else:
                rows[-1][1].append(panel["title"])
        lines += [f"| *{dashboard['title']}* | {row} | {'; '.join(titles)} |" for row, titles in rows]
    return "\n".join(lines)


def _text(builder: Dashboard) -> str:
    dashboard = builder.build()
    for number, panel in enumerate(dashboard.panels or [], start=1):
        panel.id_val = number
        if isinstance(panel, RowPanel):
            panel.panels = []
    plain: dict[str, Any] = json.loads(JSONEncoder().encode(dashboard))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
