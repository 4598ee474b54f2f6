"""The texts of the dashboard, by language; names of paths, tasks and failures are the report's own."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_OWN = _PACKAGE / "dashboard" / "texts"
_REPORT = _PACKAGE / "report" / "texts"  # read as data: importing the report takes a second
NAMES = ("path.", "task.", "kind.")


@cache
def texts(language: str) -> Mapping[str, str]:
    """Key -> text."""
    names = tomllib.loads((_REPORT / f"{language}.toml").read_text(encoding="utf-8"))
    own = tomllib.loads((_OWN / f"{language}.toml").read_text(encoding="utf-8"))
    return {key: text for key, text in names.items() if key.startswith(NAMES)} | own
