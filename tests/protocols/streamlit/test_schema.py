import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.streamlit.schema import MESSAGES, decode

OTHER_NAMES = {"ButtonGroupOption": "ButtonGroup.Option", "Button": "Button", "RunIdentity": "RunIdentity"}
BLOCKS = ("Expandable", "Form", "Tab", "ChatMessage", "Popover", "Dialog")
GONE = {
    # Fields that newer versions have dropped: message -> names.
    "ForwardMsg": {"pages_changed", "deferred_file_response"},
    "NewSession": {"script_run_id", "fragment_ids_this_run"},
    "Delta": {"add_rows", "arrow_add_rows"},
    "Markdown": {"is_caption"},
    "FileUploaderState": {"max_file_id"},
    "UploadedFileInfo": {"id"},
}
SAME_ON_THE_WIRE = {FieldDescriptor.TYPE_ENUM: FieldDescriptor.TYPE_INT32}


def _installed() -> dict[str, Any]:
    package = pytest.importorskip("streamlit.proto")
    found: dict[str, Any] = {}

    def note(message: Any, prefix: str) -> None:
        found[prefix + message.name] = message
        for nested in message.nested_types:
            note(nested, f"{prefix}{message.name}.")

    for module in pkgutil.iter_modules(package.__path__):
        if module.name.endswith("_pb2"):
            file = importlib.import_module(f"streamlit.proto.{module.name}").DESCRIPTOR
            if file.package in ("", "streamlit"):
                for message in file.message_types_by_name.values():
                    note(message, "")
    return found


def _fields() -> Iterator[tuple[str, str]]:
    for name, message in MESSAGES.items():
        for field in message.DESCRIPTOR.fields:
            yield name, field.name


def test_every_field_is_the_installed_package_s() -> None:
    installed = _installed()
    wrong = []
    for message, name in _fields():
        ours = MESSAGES[message].DESCRIPTOR.fields_by_name[name]
        real_name = f"Block.{message}" if message in BLOCKS else OTHER_NAMES.get(message, message)
        assert real_name in installed, f"no message {real_name}"
        theirs = installed[real_name].fields_by_name.get(name)
        if theirs is None:
            if name not in GONE.get(message, set()):
                wrong.append(f"{message}.{name} does not exist")
            continue
        if ours.number != theirs.number:
            wrong.append(f"{message}.{name} is {theirs.number}, not {ours.number}")
        if ours.type != SAME_ON_THE_WIRE.get(theirs.type, theirs.type):
            wrong.append(f"{message}.{name} has another type")
        if ours.is_repeated != theirs.is_repeated:
            wrong.append(f"{message}.{name} is repeated in one of the two only")
        if ours.has_presence != theirs.has_presence:
            wrong.append(f"{message}.{name} is optional in one of the two only")
        oneofs = [f.containing_oneof.name if f.containing_oneof else None for f in (ours, theirs)]
        if oneofs[0] != oneofs[1]:
            wrong.append(f"{message}.{name} belongs to the oneof {oneofs[1]}, not {oneofs[0]}")
    assert wrong == []


def test_no_number_of_ours_is_another_field_there() -> None:
    installed = _installed()
    wrong = []
    for message, name in _fields():
        real_name = f"Block.{message}" if message in BLOCKS else OTHER_NAMES.get(message, message)
        number = MESSAGES[message].DESCRIPTOR.fields_by_name[name].number
        theirs = installed[real_name].fields_by_number.get(number)
        if theirs is not None and theirs.name != name:
            wrong.append(f"{message} {number} is {theirs.name} there, {name} here")
    assert wrong == []


def test_bytes_that_are_no_message_are_the_server_s_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="5 bytes that are no Streamlit message"):
        decode(b"\xff\xff\xff\xff\xff")
