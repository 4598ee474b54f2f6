"""Our schema, field by field, against each version's own descriptors."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from glm_locust.protocols.streamlit.schema import MESSAGES
from tests.setup.streamlit_envs import NEWEST, WANTED, Environment

pytestmark = [pytest.mark.versions]

SCRIPT = Path(__file__).with_name("descriptors.py")
OTHER_NAMES = {"ButtonGroupOption": "ButtonGroup.Option"} | {
    name: f"Block.{name}" for name in ("Expandable", "Form", "Tab", "ChatMessage", "Popover", "Dialog")
}
OURS_ONLY = {"Opaque"}
SAME_ON_THE_WIRE = {FieldDescriptor.TYPE_ENUM: FieldDescriptor.TYPE_INT32}
WIDENED = {"UploadedFileInfo.size"}
"""Of 32 bits in 1.28: the same on the wire for every file that fits into an upload."""

Descriptors = dict[str, dict[str, list[Any]]]


@functools.cache
def descriptors(env: Environment) -> Descriptors:
    command = [str(env.python), "-W", "ignore", str(SCRIPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found: Descriptors = json.loads(done.stdout)
    return found


def real_name(message: str) -> str:
    return OTHER_NAMES.get(message, message)


@pytest.mark.parametrize("version", WANTED, indirect=True)
def test_a_field_that_is_there_is_as_we_say(version: Environment) -> None:
    installed = descriptors(version)
    wrong, seen = [], 0
    for message, kind in MESSAGES.items():
        theirs = installed.get(real_name(message), {})
        for field in kind.DESCRIPTOR.fields:
            if field.name not in theirs:
                continue
            seen += 1
            number, type_, repeated, presence, oneof = theirs[field.name]
            ours = (field.number, field.type, field.is_repeated)
            if f"{message}.{field.name}" in WIDENED:
                type_ = field.type
            if ours != (number, SAME_ON_THE_WIRE.get(type_, type_), repeated):
                wrong.append(f"{message}.{field.name}: {ours}, there {theirs[field.name]}")
            real_oneof = oneof if oneof and not oneof.startswith("_") else None
            our_oneof = field.containing_oneof.name if field.containing_oneof else ""
            if real_oneof and our_oneof != real_oneof:
                wrong.append(f"{message}.{field.name}: in the oneof {our_oneof!r}, there in {real_oneof!r}")
            if presence and not field.has_presence and version.version == NEWEST:
                wrong.append(f"{message}.{field.name}: may be absent there")
    assert wrong == []
    assert seen > 200


@pytest.mark.parametrize("version", WANTED, indirect=True)
def test_no_number_of_ours_means_something_else(version: Environment) -> None:
    installed = descriptors(version)
    wrong = []
    for message, kind in MESSAGES.items():
        by_number = {row[0]: name for name, row in installed.get(real_name(message), {}).items()}
        wrong += [
            f"{message} {field.number} is {by_number[field.number]}, here {field.name}"
            for field in kind.DESCRIPTOR.fields
            if by_number.get(field.number, field.name) != field.name
        ]
    assert wrong == []


def test_every_field_of_ours_is_in_some_version(environments: list[Environment]) -> None:
    known: dict[str, set[str]] = {}
    for env in environments:
        for message, fields in descriptors(env).items():
            known.setdefault(message, set()).update(fields)
    missing = [
        f"{message}.{field.name}"
        for message, kind in MESSAGES.items()
        if message not in OURS_ONLY
        for field in kind.DESCRIPTOR.fields
        if field.name not in known.get(real_name(message), ())
    ]
    assert missing == []
