"""The target that `glm-locust ask` was given, read by the rules of scenario files."""

import argparse
import json
import tomllib
from collections.abc import Mapping
from typing import Any

from glm_locust.config import ApiTarget, WebTarget
from glm_locust.config.settings import Settings
from glm_locust.config.target_settings import read_targets
from glm_locust.errors import ConfigError


def target_of(args: argparse.Namespace) -> ApiTarget | WebTarget:
    """The target; raises ConfigError with the name of the option that is wrong."""
    where = "api" if args.api is not None else "web"
    table: dict[str, Any] = _tables(args.settings)
    table["url"] = args.api if args.api is not None else args.web
    own = {
        "http_client": ("api", args.http_client),
        "jupyter_token_env": ("web", args.jupyter_token_env),
        "jupyter_token_file": ("web", args.jupyter_token_file),
    }
    for key, (needed, value) in own.items():
        if value is not None and where != needed:
            raise ConfigError(f"--{key.replace('_', '-')}: expected --{needed} to be given as well")
        if value is not None:
            table[key] = value
    words = ("model", "max_tokens", "no_think_tags", "api_key_env", "api_key_file", "ca", "timeout", "header")
    shared = {word: getattr(args, word) for word in words}
    set_keys = {line.partition("=")[0].partition(".")[0].strip() for line in args.settings}

    def name(key: str) -> str:
        inner = key.removeprefix(f"{where}.")
        if inner != key and inner.partition(".")[0] in set_keys:
            return f"--set {inner}"
        return f"--{where if inner == 'url' else inner.replace('_', '-')}"

    settings = Settings({where: table, **shared}, name, from_text=True)
    api, web, _ = read_targets(settings, None, None, None)
    target = api or web
    assert target is not None
    return target


def _tables(lines: list[str]) -> dict[str, Any]:
    """What `--set` says, each as a line of TOML whose value may lack its quotes."""
    tables: dict[str, Any] = {}
    for line in lines:
        key, equals, value = line.partition("=")
        try:
            table = _parsed(f"{key} = {value}") or _parsed(f"{key} = {json.dumps(value)}")
        except ValueError:
            table = None
        if not equals or table is None:
            raise ConfigError(f"--set: expected KEY=VALUE, like prompt_widget.label=Question, got {line!r}")
        _merge(tables, table)
    return tables


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
