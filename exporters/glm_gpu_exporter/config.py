"""Options of the command line and the TOML file with process groups; every mistake is named in one line."""

import argparse
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from glm_gpu_exporter import __version__
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.process_groups import DEFAULT_GROUPS, Group

DEFAULT_LISTEN = "127.0.0.1:9836"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants; times in seconds."""

    listen: tuple[str, int]
    period_s: float
    keep_s: float
    stale_s: float
    groups: tuple[Group, ...]
    require_gpu: bool
    dcgm_compat: bool
    tls_cert: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    basic_auth_env: str | None
    basic_auth_file: Path | None
    record: Path | None
    replay: Path | None
    loop: bool
    print_tables: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="glm-gpu-exporter",
        description="Serves GPU, host and process metrics to Prometheus and raw 20 Hz samples to load tests.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--listen",
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help="default %(default)s; port 0: any free port",
    )
    add("--hz", type=float, default=20.0, help="samples a second of each GPU, 1 to 100 (default 20)")
    add(
        "--keep-s", type=float, default=600.0, help="how many seconds of rows /v1/samples keeps (default 600)"
    )
    add("--stale-s", type=float, default=2.0, help="age at which a GPU's values disappear (default 2)")
    add("--config", type=Path, metavar="FILE", help="TOML with [[process_group]] name, command")
    add("--require-gpu", action="store_true", help="fail when there is no working GPU at the start")
    add("--dcgm-compat", action="store_true", help="also serve names and units of NVIDIA's dcgm-exporter")
    add("--tls-cert", type=Path, metavar="FILE", help="PEM certificate (chain): serve HTTPS")
    add("--tls-key", type=Path, metavar="FILE", help="its key, if it is not in the same file")
    add(
        "--tls-client-ca", type=Path, metavar="FILE", help="let in only clients with a certificate of this CA"
    )
    add("--basic-auth-env", metavar="NAME", help="environment variable that holds user:password")
    add("--basic-auth-file", type=Path, metavar="FILE", help="file that holds user:password")
    add("--record", type=Path, metavar="FILE", help="write every row to a capture (.gz: compressed)")
    add("--replay", type=Path, metavar="FILE", help="serve a capture as if it came from this machine now")
    add("--loop", action="store_true", help="with --replay: begin again at its end")
    add(
        "--print-tables",
        action="store_true",
        help="print the tables of metrics and rows in Markdown, and exit",
    )
    add("--version", action="version", version=f"glm-gpu-exporter {__version__}")
    return parser


def parse_options(arguments: list[str]) -> Options:
    """Options from the command line; raises ConfigError."""
    given = _parser().parse_args(arguments)
    _check(1 <= given.hz <= 100, f"--hz: expected 1 to 100, not {given.hz:g}")
    _check(1 <= given.keep_s <= 86_400, f"--keep-s: expected 1 to 86400, not {given.keep_s:g}")
    _check(given.stale_s >= 2 / given.hz, "--stale-s: expected at least two sample periods")
    _check(
        given.basic_auth_env is None or given.basic_auth_file is None,
        "--basic-auth-env and --basic-auth-file exclude each other",
    )
    _check(
        given.tls_cert or not (given.tls_key or given.tls_client_ca),
        "--tls-key and --tls-client-ca need --tls-cert",
    )
    _check(given.replay or not given.loop, "--loop needs --replay")
    _check(not (given.replay and given.require_gpu), "--require-gpu makes no sense with --replay")
    return Options(
        listen=_address(given.listen),
        period_s=1 / given.hz,
        keep_s=given.keep_s,
        stale_s=given.stale_s,
        groups=DEFAULT_GROUPS if given.config is None else read_groups(given.config),
        require_gpu=given.require_gpu,
        dcgm_compat=given.dcgm_compat,
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        tls_client_ca=given.tls_client_ca,
        basic_auth_env=given.basic_auth_env,
        basic_auth_file=given.basic_auth_file,
        record=given.record,
        replay=given.replay,
        loop=given.loop,
        print_tables=given.print_tables,
    )


def read_groups(path: Path) -> tuple[Group, ...]:
    """The process groups of a TOML file, in their order; raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"--config {path}: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    unknown = sorted(document.keys() - {"process_group"})
    _check(not unknown, f"{path}: unknown key {', '.join(unknown)}; expected [[process_group]] only")
    tables = document.get("process_group", [])
    _check(
        isinstance(tables, list) and all(isinstance(table, dict) for table in tables),
        f"{path}: process_group: expected [[process_group]] tables",
    )
    groups = tuple(_group(table, f"{path}: process_group {n}") for n, table in enumerate(tables, 1))
    names = [group.name for group in groups]
    for name in names:
        _check(names.count(name) == 1, f"{path}: process_group name {name!r} is used twice")
    return groups


def _group(table: dict[str, object], where: str) -> Group:
    unknown = sorted(table.keys() - {"name", "command"})
    _check(not unknown, f"{where}: unknown key {', '.join(unknown)}; expected name and command")
    name, command = table.get("name"), table.get("command")
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name)):
        raise ConfigError(f"{where}: name: expected 1 to 40 letters, digits, . _ or -")
    if not (isinstance(command, str) and command):
        raise ConfigError(
            f"{where}: command: expected a regular expression that is searched in command lines"
        )
    try:
        return Group(name, re.compile(command))
    except re.error as error:
        raise ConfigError(f"{where}: command: not a regular expression: {error}") from None


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigError(f"--listen {text}: expected HOST:PORT, such as {DEFAULT_LISTEN} or [::1]:9836")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _check(holds: object, otherwise: str) -> None:
    if not holds:
        raise ConfigError(otherwise)
