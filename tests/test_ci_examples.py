"""The CI examples do what they say: their own commands are executed, and leave what they publish."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from glm_locust.config import load_scenario

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "configs" / "ci"
INSTALL = "pip install -c constraints.txt -e '.[testbed]'"


def github() -> tuple[list[str], list[str]]:
    """Commands in order, and the paths that are published."""
    steps = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())["jobs"]["compare"]["steps"]
    uploads = [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert all(step.get("if") == "always()" for step in steps[-2:]), "published however the run ends"
    return [step["run"] for step in steps if "run" in step], uploads[0].split()


def gitlab() -> tuple[list[str], list[str]]:
    job = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())["compare"]
    artifacts = job["artifacts"]
    assert artifacts["when"] == "always"
    assert artifacts["reports"]["junit"] in artifacts["paths"]
    return [*job["before_script"], *job["script"], *job["after_script"]], artifacts["paths"]


def executed(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    bin_dir = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(directory / "step-summary.md"),
    }
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


@pytest.mark.servers
def test_the_commands_of_both_examples(tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    done: dict[str, subprocess.CompletedProcess[str]] = {}
    for commands, published in (github(), gitlab()):
        assert commands[0] == INSTALL
        for command in commands[1:]:
            if command not in done:  # both examples run the same comparison
                done[command] = executed(command, tmp_path)
                assert done[command].returncode == 0, done[command].stderr
        for pattern in published:
            assert len(list(tmp_path.glob(pattern))) == 1, pattern
    assert "**Objectives met.**" in (tmp_path / "step-summary.md").read_text()
    cases = [case.attrib["name"] for case in ET.parse(tmp_path / "junit.xml").iter("testcase")]
    assert cases == list(load_scenario(EXAMPLES / "comparison.toml").slo)


@pytest.mark.parametrize("example", [github, gitlab])
def test_the_examples_run_the_documented_scenario(example: Any) -> None:
    commands, published = example()
    assert any("--scenario configs/ci/comparison.toml" in command for command in commands)
    assert "junit.xml" in published
    assert any(path.endswith("report.html") for path in published)
