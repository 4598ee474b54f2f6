"""Whether two runs asked the same of their servers."""

import json
from typing import Any

from glm_locust.records import RunHeader

_LENGTH = ("repeats", "warmup")
"""How long a run is, not what it asks."""
_OF_TARGETS = ("max_tokens", "extra_body")
"""What of a target decides what is asked of it; another URL or model may be what is compared."""


def different_workloads(base: RunHeader, new: RunHeader) -> tuple[str, ...]:
    """What differs, a `name: this, that` each; empty where the workloads are the same."""
    one, other = _asked(base), _asked(new)
    return tuple(
        f"{name}: {_plain(one.get(name))}, {_plain(other.get(name))}"
        for name in dict.fromkeys((*one, *other))
        if one.get(name) != other.get(name)
    )


def _asked(header: RunHeader) -> dict[str, Any]:
    asked = {name: value for name, value in header.workload.items() if name not in _LENGTH}
    for path, target in header.targets.items():
        if isinstance(target, dict):
            asked |= {f"{path} {name}": target[name] for name in _OF_TARGETS if target.get(name)}
    return asked


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(str, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
