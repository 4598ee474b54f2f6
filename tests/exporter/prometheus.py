"""A real Prometheus server with the shipped configuration, for tests of whatever it scrapes."""

import json
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[2] / "configs" / "prometheus"
NOBODY = "127.0.0.1:1"
DEADLINE_S = 30.0


class Prometheus:
    """A Prometheus server of this test's own."""

    def __init__(
        self, folder: Path, *options: str, gpu: str = NOBODY, glm: str = NOBODY, engine: str = NOBODY
    ) -> None:
        """With the shipped configuration, but for the addresses of its targets; data is in `folder`/data."""
        config = (SHIPPED / "prometheus.yml").read_text()
        # Whoever listens on the other usual ports of this machine is not to be scraped by a test.
        for shipped, target in (("9836", gpu), ("9646", glm), ("8080", engine)):
            assert f"127.0.0.1:{shipped}" in config
            config = config.replace(f'"127.0.0.1:{shipped}"', f'"{target}"')
        (folder / "prometheus.yml").write_text(config)
        (folder / "rules.yml").write_text((SHIPPED / "rules.yml").read_text())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.address}",
                *options,
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._log.close()

    def get(self, path: str, **query: str) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            return json.load(answer)["data"]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=DEADLINE_S) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return result

    def raw(self, expression: str) -> list[tuple[float, float]]:
        """The stored samples of the one series of a range selector."""
        (series,) = self.query(expression)
        return [(at_s, float(value)) for at_s, value in series["values"]]

    def firing(self) -> set[tuple[str, str]]:
        """(alert, gpu) of what fires."""
        alerts = self.get("alerts")["alerts"]
        return {
            (a["labels"]["alertname"], a["labels"].get("gpu", "")) for a in alerts if a["state"] == "firing"
        }
