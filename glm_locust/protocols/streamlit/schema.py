"""The part of Streamlit's protobuf schema that a simulated user needs, for 1.28 and all later versions.

A field number of Streamlit's never changed its meaning in those versions, so one table serves all of
them; fields of newer versions are unknown fields to it and are skipped. The descriptors live in a pool
of their own: they neither clash with an installed Streamlit nor depend on a protoc version.

Enums are declared int32 and unused messages `Opaque`: both are the same on the wire.
"""

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from glm_locust.errors import RemoteProtocolError

Wire = Any
"""A message of the table below: its fields are attributes made at run time."""

TABLE = """
ForwardMsg
    1 hash string, 2 metadata ForwardMsgMetadata
    type: 4 new_session NewSession, 5 delta Delta, 6 script_finished int32
    type: 9 session_status_changed SessionStatus, 10 session_event SessionEvent, 11 ref_hash string
    type: 12 page_info_changed Opaque, 13 page_config_changed Opaque, 14 git_info_changed Opaque
    type: 15 page_not_found PageNotFound, 16 pages_changed Opaque, 18 page_profile Opaque
    type: 19 file_urls_response FileURLsResponse, 20 parent_message Opaque, 21 auto_rerun AutoRerun
    type: 22 logo Opaque, 23 navigation Navigation, 24 auth_redirect AuthRedirect
    type: 25 deferred_file_response Opaque, 26 heartbeat_ack bool
    type: 27 backend_operation_response Opaque, 28 stop_auto_rerun StopAutoRerun
ForwardMsgMetadata
    1 cacheable bool, 2 delta_path uint32*, 4 active_script_hash string, 6 run RunIdentity
RunIdentity
    1 script_run_id string, 2 fragment_ids string*
NewSession
    1 initialize Initialize, 2 script_run_id string, 6 config Config, 8 app_pages AppPage*
    9 page_script_hash string, 10 fragment_ids_this_run string*, 11 main_script_hash string
Initialize
    3 environment_info EnvironmentInfo, 4 session_status SessionStatus, 6 session_id string
EnvironmentInfo
    1 streamlit_version string, 2 python_version string
Config
    3 max_cached_message_age int32
AppPage
    1 page_script_hash string, 2 page_name string, 4 is_default bool, 6 url_pathname string
SessionStatus
    1 run_on_save bool, 2 script_is_running bool
SessionEvent
    type: 1 script_changed_on_disk bool, 2 script_was_manually_stopped bool
    type: 3 script_compilation_exception Exception
PageNotFound
    1 page_name string
AutoRerun
    1 interval float, 2 fragment_id string
StopAutoRerun
    1 fragment_ids string*
Navigation
    1 sections string*, 2 app_pages AppPage*, 4 page_script_hash string
AuthRedirect
    1 url string
FileURLsResponse
    1 response_id string, 2 file_urls FileURLs*, 3 error_msg string
FileURLs
    1 file_id string, 2 upload_url string, 3 delete_url string
Delta
    8 fragment_id string
    type: 3 new_element Element, 5 add_rows Opaque, 6 add_block Block, 7 arrow_add_rows Opaque
    type: 9 new_transient Transient
Transient
    1 elements Element*
Opaque
    -
Element
    type: 1 text Text, 2 empty Opaque, 5 progress Opaque, 6 imgs ImageList, 8 exception Exception
    type: 12 balloons Opaque, 13 audio Opaque, 14 video Opaque, 16 plotly_chart Opaque
    type: 18 graphviz_chart Opaque, 19 button Button, 20 checkbox Checkbox, 21 slider Slider
    type: 22 text_area TextArea, 23 radio Radio, 24 text_input TextInput, 25 selectbox Selectbox
    type: 26 time_input TimeInput, 27 date_input DateInput, 28 multiselect MultiSelect
    type: 29 markdown Markdown, 30 alert Alert, 31 json Json, 32 number_input NumberInput
    type: 33 file_uploader FileUploader, 35 color_picker ColorPicker
    type: 37 component_instance ComponentInstance, 38 iframe Opaque, 42 metric Opaque
    type: 43 download_button Button, 44 spinner Spinner, 45 camera_input CameraInput, 46 snow Opaque
    type: 47 heading Heading, 48 code Code, 49 chat_input ChatInput, 50 toast Toast
    type: 51 link_button Opaque, 52 skeleton Opaque, 53 page_link Opaque, 54 html Html
    type: 55 button_group ButtonGroup, 56 audio_input AudioInput, 62 date_time_input DateTimeInput
    type: 63 feedback Feedback, 64 menu_button MenuButton
Block
    8 allow_empty bool, 12 id string?
    type: 1 vertical Opaque, 2 horizontal Opaque, 3 column Opaque, 4 expandable Expandable, 5 form Form
    type: 6 tab_container Opaque, 7 tab Tab, 9 chat_message ChatMessage, 10 popover Popover
    type: 11 dialog Dialog, 13 flex_container Opaque, 17 transparent Opaque, 19 grid_container Opaque
Expandable
    1 label string, 5 type int32, 6 state int32
Form
    1 form_id string, 2 clear_on_submit bool
Tab
    1 label string
ChatMessage
    1 name string
Popover
    1 label string
Dialog
    1 title string
Text
    1 body string
Markdown
    1 body string, 3 is_caption bool, 4 element_type int32
Code
    1 code_text string
Html
    1 body string
Json
    1 body string
Heading
    3 body string
Alert
    1 body string, 2 format int32
Exception
    1 type string, 2 message string, 5 is_warning bool
Toast
    1 body string
Spinner
    1 text string
ImageList
    1 imgs Image*
Image
    2 caption string, 3 url string
Button
    1 id string, 2 label string, 5 form_id string, 6 is_form_submitter bool, 7 type string, 8 disabled bool
Checkbox
    1 id string, 2 label string, 3 default bool, 5 form_id string, 6 value bool, 7 set_value bool
    8 disabled bool
Slider
    1 id string, 2 form_id string, 3 label string, 5 data_type int32, 6 default double*, 7 min double
    8 max double, 10 value double*, 11 set_value bool, 13 options string*, 15 disabled bool
TextArea
    1 id string, 2 label string, 3 default string?, 5 max_chars uint32, 7 form_id string, 8 value string?
    9 set_value bool, 10 placeholder string, 11 disabled bool
TextInput
    1 id string, 2 label string, 3 default string?, 4 type int32, 5 max_chars uint32, 7 form_id string
    8 value string?, 9 set_value bool, 11 placeholder string, 12 disabled bool
NumberInput
    1 id string, 2 label string, 3 form_id string, 13 data_type int32, 14 default double?, 19 value double?
    20 set_value bool, 21 disabled bool
Radio
    1 id string, 2 label string, 3 default int32?, 4 options string*, 6 form_id string, 8 set_value bool
    9 disabled bool
Selectbox
    1 id string, 2 label string, 3 default int32?, 4 options string*, 6 form_id string, 8 set_value bool
    9 disabled bool
MultiSelect
    1 id string, 2 label string, 3 default int32*, 4 options string*, 6 form_id string, 8 set_value bool
    9 disabled bool
ButtonGroup
    1 id string, 2 options ButtonGroupOption*, 3 default uint32*, 4 disabled bool, 6 form_id string
    8 set_value bool, 11 label string
ButtonGroupOption
    1 content string
Feedback
    1 id string, 4 disabled bool, 5 form_id string, 7 set_value bool
MenuButton
    1 id string, 2 label string, 3 options string*, 6 disabled bool
TimeInput
    1 id string, 2 label string, 5 form_id string, 7 set_value bool, 8 disabled bool
DateInput
    1 id string, 2 label string, 8 form_id string, 10 set_value bool, 11 disabled bool
DateTimeInput
    1 id string, 2 label string, 7 form_id string, 9 set_value bool, 10 disabled bool
ColorPicker
    1 id string, 2 label string, 5 form_id string, 7 set_value bool, 8 disabled bool
ComponentInstance
    1 id string, 4 component_name string, 6 form_id string
FileUploader
    1 id string, 2 label string, 3 type string*, 4 max_upload_size_mb int32, 6 multiple_files bool
    8 form_id string, 9 disabled bool
CameraInput
    1 id string, 2 label string, 4 form_id string, 5 disabled bool
AudioInput
    1 id string, 2 label string, 4 form_id string, 5 disabled bool
ChatInput
    1 id string, 2 placeholder string, 3 max_chars uint32, 4 disabled bool, 5 value string, 6 set_value bool
    7 default string, 9 accept_file int32, 10 file_type string*, 11 max_upload_size_mb int32
BackMsg
    type: 7 stop_script bool, 11 rerun_script ClientState, 16 file_urls_request FileURLsRequest
ClientState
    1 query_string string, 2 widget_states WidgetStates, 3 page_script_hash string, 4 page_name string
    5 fragment_id string, 6 is_auto_rerun bool, 8 context_info ContextInfo
ContextInfo
    1 timezone string?, 2 timezone_offset int32?, 3 locale string?, 4 url string?, 5 is_embedded bool?
WidgetStates
    1 widgets WidgetState*
WidgetState
    1 id string
    value: 2 trigger_value bool, 3 bool_value bool, 4 double_value double, 5 int_value sint64
    value: 6 string_value string, 7 double_array_value DoubleArray, 8 int_array_value SInt64Array
    value: 9 string_array_value StringArray, 13 file_uploader_state_value FileUploaderState
    value: 14 string_trigger_value StringTriggerValue, 15 chat_input_value ChatInputValue
DoubleArray
    1 data double*
SInt64Array
    1 data sint64*
StringArray
    1 data string*
StringTriggerValue
    1 data string?
ChatInputValue
    1 data string?, 2 file_uploader_state FileUploaderState?
FileUploaderState
    1 max_file_id sint64, 2 uploaded_file_info UploadedFileInfo*
UploadedFileInfo
    1 id sint64, 2 name string, 3 size uint64, 4 file_id string, 5 file_urls FileURLs
FileURLsRequest
    1 request_id string, 2 file_names string*, 3 session_id string
"""
"""A message a paragraph; `number name type`, `*` repeated, `?` optional, `word:` members of that oneof."""

_SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "uint32": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "sint64": descriptor_pb2.FieldDescriptorProto.TYPE_SINT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "float": descriptor_pb2.FieldDescriptorProto.TYPE_FLOAT,
}
_PACKAGE = "glm_locust.streamlit"
_FILE = "streamlit_minimal.proto"
_FIELD = re.compile(r"(\d+) (\w+) (\w+)([*?]?)$")


def _file_descriptor(table: str) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="streamlit_minimal.proto", package=_PACKAGE, syntax="proto3"
    )
    message = file.message_type.add()
    for line in table.strip().splitlines():
        if not line.startswith(" "):
            message = message if not message.name else file.message_type.add()
            message.name = line
            continue
        oneof, separator, fields = line.strip().rpartition(": ")
        if fields == "-":
            continue
        oneofs = [declaration.name for declaration in message.oneof_decl]
        if separator and oneof not in oneofs:
            message.oneof_decl.add(name=oneof)
            oneofs.append(oneof)
        for text in fields.split(", "):
            _add_field(message, text, oneofs.index(oneof) if separator else None)
    for message in file.message_type:
        _add_synthetic_oneofs(message)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, oneof_index: int | None) -> None:
    match = _FIELD.match(text)
    assert match, f"{message.name}: {text!r} is not `number name type`"
    number, name, kind, mark = match.groups()
    proto = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(name=name, number=int(number))
    field.label = proto.LABEL_REPEATED if mark == "*" else proto.LABEL_OPTIONAL
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = proto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    if oneof_index is not None:
        field.oneof_index = oneof_index
    field.proto3_optional = mark == "?"


def _add_synthetic_oneofs(message: descriptor_pb2.DescriptorProto) -> None:
    # proto3 writes `optional` as a oneof of one member, and those have to come after the real ones.
    for field in message.field:
        if field.proto3_optional:
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


def _build() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(_file_descriptor(TABLE).SerializeToString())
    messages = pool.FindFileByName(_FILE).message_types_by_name
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in messages.items()}


MESSAGES = _build()
"""Message name -> class."""

ForwardMsg = MESSAGES["ForwardMsg"]
BackMsg = MESSAGES["BackMsg"]
WidgetState = MESSAGES["WidgetState"]
FileUploaderState = MESSAGES["FileUploaderState"]

FINISHED_OK = 0
FINISHED_COMPILE_ERROR = 1
FINISHED_EARLY_FOR_RERUN = 2
FINISHED_FRAGMENT = 3


def decode(frame: bytes) -> Wire:
    """One message of the server; raises RemoteProtocolError if it is none."""
    message = ForwardMsg()
    try:
        message.ParseFromString(frame)
    except DecodeError:
        raise RemoteProtocolError(f"{len(frame)} bytes that are no Streamlit message") from None
    return message
