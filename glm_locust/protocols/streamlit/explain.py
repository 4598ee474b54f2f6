"""Messages of Streamlit's websocket in words; what a user has typed or set is not repeated."""

from google.protobuf.message import DecodeError

from glm_locust.errors import RemoteProtocolError
from glm_locust.protocols.explain import Explained, shortened
from glm_locust.protocols.streamlit.schema import (
    FINISHED_COMPILE_ERROR,
    FINISHED_EARLY_FOR_RERUN,
    FINISHED_FRAGMENT,
    FINISHED_OK,
    BackMsg,
    Wire,
    decode,
)

_FINISHED = {
    FINISHED_OK: "the script ended",
    FINISHED_COMPILE_ERROR: "it does not compile",
    FINISHED_EARLY_FOR_RERUN: "early, another run follows",
    FINISHED_FRAGMENT: "a fragment ended",
}
_TEXT_FIELDS = ("body", "code_text", "label", "message", "title", "name", "placeholder", "text", "form_id")


def explain_incoming(data: bytes) -> Explained:
    """What a message of the server says."""
    try:
        message = decode(data)
    except RemoteProtocolError as error:
        return Explained("unreadable", str(error))
    kind = message.WhichOneof("type")
    path = tuple(message.metadata.delta_path) or None
    match kind:
        case None:
            return Explained("unknown")
        case "delta":
            return _delta(message.delta, path)
        case "new_session":
            version = message.new_session.initialize.environment_info.streamlit_version
            fragments = message.new_session.fragment_ids_this_run or message.metadata.run.fragment_ids
            what = "a fragment runs" if fragments else "the script starts"
            return Explained(kind, shortened(f"{what}, Streamlit {version}" if version else what))
        case "script_finished":
            status = message.script_finished
            return Explained(kind, _FINISHED.get(status, f"status {status}"))
        case "session_status_changed":
            running = message.session_status_changed.script_is_running
            return Explained(kind, "running" if running else "not running")
        case "session_event":
            event = message.session_event.WhichOneof("type") or "unknown"
            fault = message.session_event.script_compilation_exception
            return Explained(kind, shortened(f"{event} {fault.type} {fault.message}".strip()))
        case "file_urls_response":
            response = message.file_urls_response
            return Explained(kind, shortened(response.error_msg or f"{len(response.file_urls)} addresses"))
        case "ref_hash":
            return Explained(kind, "a message that was sent before", path)
        case "page_not_found":
            return Explained(kind, shortened(repr(message.page_not_found.page_name)))
        case "navigation":
            names = ", ".join(repr(page.page_name) for page in message.navigation.app_pages)
            return Explained(kind, shortened(names))
    return Explained(str(kind))


def explain_outgoing(data: bytes) -> Explained:
    """What a message of ours says."""
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return Explained("unreadable")
    kind = message.WhichOneof("type") or "unknown"
    if kind == "file_urls_request":
        count = len(message.file_urls_request.file_names)
        return Explained(kind, f"{count} file{'' if count == 1 else 's'}")
    if kind != "rerun_script":
        return Explained(kind)
    states = message.rerun_script.widget_states.widgets
    values = ", ".join(str(state.WhichOneof("value") or "no value") for state in states)
    where = " in a fragment" if message.rerun_script.fragment_id else ""
    return Explained(kind, shortened(f"{values or 'no widget values'}{where}"))


def _delta(delta: Wire, path: tuple[int, ...] | None) -> Explained:
    kind = delta.WhichOneof("type")
    if kind == "new_transient":
        inner = [element.WhichOneof("type") or "unknown" for element in delta.new_transient.elements]
        return Explained("transient", shortened(", ".join(inner) or "cleared"), path)
    if kind not in ("new_element", "add_block"):
        return Explained(str(kind or "delta"), "", path)
    holder = getattr(delta, kind)
    name = holder.WhichOneof("type") or ("container" if kind == "add_block" else "unknown")
    content = getattr(holder, name, None)
    said = next((text for field in _TEXT_FIELDS if (text := getattr(content, field, ""))), "")
    if name == "exception" and content is not None:
        said = f"{content.type}: {content.message}"
    return Explained(
        f"block {name}" if kind == "add_block" else name, shortened(repr(said)) if said else "", path
    )
