"""Run by another environment's Python: Streamlit's own message descriptors there, as JSON.

    python descriptors.py > descriptors.json

Message (nested ones as `Outer.Inner`) -> field -> [number, type, repeated, has presence, oneof].
"""

import importlib
import json
import pkgutil
import sys
from typing import Any

import streamlit.proto


def main() -> None:
    """Print them all."""
    found: dict[str, dict[str, list[Any]]] = {}

    def note(message: Any, prefix: str) -> None:
        found[prefix + message.name] = {
            field.name: [
                field.number,
                field.type,
                field.label == field.LABEL_REPEATED if hasattr(field, "label") else field.is_repeated,
                field.has_presence,
                field.containing_oneof.name if field.containing_oneof else None,
            ]
            for field in message.fields
        }
        for nested in message.nested_types:
            note(nested, f"{prefix}{message.name}.")

    for module in pkgutil.iter_modules(streamlit.proto.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"streamlit.proto.{module.name}").DESCRIPTOR
            if file.package in ("", "streamlit"):
                for message in file.message_types_by_name.values():
                    note(message, "")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
