"""compose.yml and provisioning: what they mount is there, pinned, local, and agrees with each other."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.grafana.shipped import FILES, GRAFANA, ROOT

COMPOSE = ROOT / "configs" / "compose.yml"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


SERVICES: dict[str, dict[str, Any]] = load(COMPOSE)["services"]
SOURCE = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"][0]
PROVIDER = load(GRAFANA / "provisioning" / "dashboards" / "glm_locust.yml")["providers"][0]


def mounts(service: str) -> dict[str, Path]:
    """Path in the container -> file or folder here, of what is not a volume."""
    pairs = [mount.split(":") for mount in SERVICES[service]["volumes"]]
    return {pair[1]: COMPOSE.parent / pair[0] for pair in pairs if pair[0].startswith(".")}


def test_images_are_pinned_to_a_release() -> None:
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert set(images) == {"prometheus", "grafana"}
    assert all(re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image) for image in images.values())
    assert images["grafana"].split(":")[1].startswith("11."), "what the dashboards are made for"


def test_what_is_mounted_is_there_and_read_only() -> None:
    for name, service in SERVICES.items():
        assert mounts(name)
        assert all(path.exists() for path in mounts(name).values())
        for mount in service["volumes"]:
            assert not mount.startswith(".") or mount.endswith(":ro")
    volumes = {mount.split(":")[0] for s in SERVICES.values() for mount in s["volumes"]}
    assert {name for name in volumes if not name.startswith(".")} == set(load(COMPOSE)["volumes"])


def test_everything_listens_on_the_loopback_only() -> None:
    assert all(service["network_mode"] == "host" and "ports" not in service for service in SERVICES.values())
    assert "--web.listen-address=127.0.0.1:9090" in SERVICES["prometheus"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_nobody_can_log_in_and_no_password_is_written() -> None:
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert not any("PASSWORD" in name for name in environment)


def test_paths_and_addresses_agree() -> None:
    inside = mounts("grafana")
    assert inside[PROVIDER["options"]["path"]] == COMPOSE.parent / "grafana" / "dashboards"
    assert sorted(inside[PROVIDER["options"]["path"]].resolve().glob("*.json")) == [
        f.resolve() for f in FILES
    ]
    assert inside["/etc/grafana/provisioning"].resolve() == (GRAFANA / "provisioning").resolve()
    assert SOURCE["url"] == "http://127.0.0.1:9090"
    scraped = load(ROOT / "configs" / "prometheus" / "prometheus.yml")["global"]
    assert SOURCE["jsonData"]["timeInterval"] == scraped["scrape_interval"]


@pytest.mark.prometheus
def test_prometheus_takes_the_configuration_that_is_mounted() -> None:
    command = SERVICES["prometheus"]["command"]
    (file,) = (word.split("=", 1)[1] for word in command if word.startswith("--config.file="))
    folder = mounts("prometheus")[str(Path(file).parent)]
    done = subprocess.run(
        ["promtool", "check", "config", str(folder / Path(file).name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
