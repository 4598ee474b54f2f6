"""`python -m tools.grafana` writes the dashboards; with `--table` it prints the table of docs/GRAFANA.md."""

import sys
from pathlib import Path

from tools.grafana import catalogue, written

DASHBOARDS = Path(__file__).parents[2] / "configs" / "grafana" / "dashboards"

if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        sys.stdout.write(catalogue() + "\n")
    else:
        for name, text in written().items():
            (DASHBOARDS / name).write_text(text, encoding="utf-8")
