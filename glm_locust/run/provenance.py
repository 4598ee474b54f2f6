"""Where a run comes from: its id, command, versions and machine."""

import importlib.metadata
import os
import platform
import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psutil

DISTRIBUTIONS = (
    "glm-locust",
    "locust",
    "gevent",
    "httpx",
    "httptools",
    "websocket-client",
    "protobuf",
    "msgspec",
    "numpy",
    "streamlit",
    "jupyter-server",
    "jupyter-server-proxy",
)

_SECRET_HEADER = re.compile(r"(?i)^[^:=]*(auth|cookie|token|key|secret|password)[^:=]*[:=]")
_HEADER_OPTION = re.compile(r"^--(glm-)?header$")
_URL = re.compile(r"^[a-z]+://", re.IGNORECASE)
MASK = "***"
COMMAND_ENV = "GLM_LOCUST_COMMAND"
"""Environment variable with the arguments of the command that started Locust, as a JSON list."""


def new_run_id(started_ns: int) -> str:
    """An id that sorts by time, `20261122-112634-3f9a0c`."""
    started = datetime.fromtimestamp(started_ns / 1e9, UTC)
    return f"{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def command_line() -> Sequence[str]:
    """What the user typed: for a Locust that a command of ours started, that command's arguments."""
    told = os.environ.get(COMMAND_ENV)
    return sys.argv if told is None else msgspec.json.decode(told, type=list[str])


def command_as_typed(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line without what a header or a URL on it keeps secret."""
    shown: list[str] = []
    for word in argv:
        option, equals, value = word.partition("=")
        if equals and option.startswith("--"):
            shown.append(f"{option}={_masked(value, is_header=bool(_HEADER_OPTION.match(option)))}")
        else:
            shown.append(_masked(word, is_header=bool(shown and _HEADER_OPTION.match(shown[-1]))))
    return tuple(shown)


def _masked(value: str, *, is_header: bool) -> str:
    if is_header and (match := _SECRET_HEADER.match(value)):
        return match.group() + MASK
    return without_secrets(value) if _URL.match(value) else value


def without_secrets(url: str) -> str:
    """The URL without user information and query: both may hold a token."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=MASK if parts.query else "", fragment=""))


def versions() -> dict[str, str]:
    """Python's version and those of the installed packages that shape a measurement."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The host of this process, as far as it explains a measurement."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "host": platform.node(),
    }


def _cpu_model() -> str | None:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, None)
    except OSError:
        return None
