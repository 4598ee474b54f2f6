"""How the testbed runs jupyter-server with jupyter-server-proxy in front of the page."""

import sys
from pathlib import Path


def command(port: int) -> list[str]:
    """The command line of a server on 127.0.0.1."""
    return [
        sys.executable,
        "-m",
        "jupyter_server",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.base_url=/",
        "--ServerApp.jpserver_extensions=jupyter_server_proxy=True",
        "--ServerApp.terminals_enabled=False",
    ]


def environment(home: Path, token_file: Path) -> dict[str, str]:
    """Variables that keep everything it reads and writes inside `home`, and its token out of sight."""
    return {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_TOKEN_FILE": str(token_file),
    }


def proxy_path(port: int) -> str:
    """Where jupyter-server-proxy shows what listens on `port`."""
    return f"/proxy/{port}/"
