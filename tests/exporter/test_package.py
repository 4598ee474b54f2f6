"""The package: installs alone with three dependencies, imports nothing of the load tester, is documented."""

import json
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from glm_gpu_exporter.metrics import METRICS, aliases_table, metrics_table
from glm_gpu_exporter.rows import rows_table

from tests.exporter.rig import Exporter, Journal

ROOT = Path(__file__).parents[2]
DEPENDENCIES = {"prometheus-client", "nvidia-ml-py", "psutil"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.servers
def test_installed_alone_it_brings_three_packages_and_runs(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", tmp_path / "venv")
    subprocess.run([*pip, "install", "--quiet", ROOT / "exporters"], check=True, timeout=240)
    listed = subprocess.run([*pip, "list", "--format", "json"], capture_output=True, check=True)
    installed = {normal(package["name"]) for package in json.loads(listed.stdout)}
    assert installed == DEPENDENCIES | {"glm-gpu-exporter"}
    command = tmp_path / "venv" / "bin" / "glm-gpu-exporter"
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert version.stdout.startswith("glm-gpu-exporter ")
    refused = subprocess.run(
        [command, "--listen", "127.0.0.1:0", "--require-gpu", "--replay", "x"],
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert refused.returncode == 64


@pytest.mark.parametrize("module", ["cli", "child"])
def test_each_process_loads_only_what_is_its_own(module: str) -> None:
    code = f"import sys, glm_gpu_exporter.{module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.splitlines()}
    assert not loaded & {"glm_locust", "locust", "gevent", "requests", "numpy"}
    # The parent must survive whatever NVML does; the child pays for nothing it does not use.
    assert not loaded & ({"pynvml"} if module == "cli" else {"prometheus_client", "psutil", "http"})


@pytest.mark.parametrize(
    ("name", "table"),
    [("metrics", metrics_table()), ("aliases", aliases_table()), ("rows", rows_table())],
)
def test_the_documentation_shows_the_tables_of_the_code(name: str, table: str) -> None:
    text = (ROOT / "docs" / "EXPORTER.md").read_text()
    found = re.search(f"<!-- table: {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)
    assert found is not None, name
    assert found[1] == table, "docs/EXPORTER.md is behind the code: run  glm-gpu-exporter --print-tables"


def test_the_documentation_names_every_option() -> None:
    text = (ROOT / "docs" / "EXPORTER.md").read_text()
    shown = subprocess.run(
        [sys.executable, "-m", "glm_gpu_exporter", "--help"], capture_output=True, text=True, check=True
    )
    for option in re.findall(r"--[a-z-]+", shown.stdout):
        assert option in text or option == "--help", option


@pytest.mark.servers
@pytest.mark.compiler
def test_what_is_served_is_what_is_documented(library: Path, journal: Journal) -> None:
    journal.add("gpus = 2", "1.mig = 1", "0.gpm = 1", *(f"0.gpm.{n} = 10" for n in (2, 3, 5, 10)))
    journal.add("0.procs = 1:5")
    documented = {metric.name for metric in METRICS}
    with Exporter(library, journal) as exporter:
        exporter.wait_for_gpus(2)
        journal.add("0.xid = 79")
        # A process of a group that uses the GPU is in test_process_groups.
        rare = {"process_group_gpu_memory_bytes"}
        exporter.wait_for("every metric", lambda s: documented - s.names() <= rare)
        assert exporter.scrape().names() <= documented
