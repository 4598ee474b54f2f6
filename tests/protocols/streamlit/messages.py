"""Makes the messages of a server by hand."""

from typing import Any

from glm_locust.protocols.streamlit.schema import ForwardMsg


def started(
    *,
    session_id: str = "s1",
    version: str = "1.67.0",
    fragments: tuple[str, ...] = (),
    pages: tuple[str, ...] = (),
    script_hash: str = "main",
) -> bytes:
    message = ForwardMsg()
    new = message.new_session
    new.initialize.session_id = session_id
    new.initialize.environment_info.streamlit_version = version
    new.page_script_hash = script_hash
    for name in pages:
        new.app_pages.add(page_script_hash=f"hash-{name}", page_name=name)
    if version >= "1.67":
        message.metadata.run.fragment_ids.extend(fragments)
    else:
        new.fragment_ids_this_run.extend(fragments)
    return bytes(message.SerializeToString())


def finished(status: int = 0) -> bytes:
    return bytes(ForwardMsg(script_finished=status).SerializeToString())


def element(path: str, kind: str, *, fragment: str = "", **fields: Any) -> bytes:
    """`element("0.1", "markdown", body="text")`."""
    message = _delta(path, fragment)
    content = getattr(message.delta.new_element, kind)
    content.SetInParent()
    _set(content, fields)
    return bytes(message.SerializeToString())


def block(path: str, kind: str, *, fragment: str = "", **fields: Any) -> bytes:
    message = _delta(path, fragment)
    content = getattr(message.delta.add_block, kind)
    content.SetInParent()
    _set(content, fields)
    return bytes(message.SerializeToString())


def markdown(path: str, body: str, **fields: Any) -> bytes:
    return element(path, "markdown", body=body, **fields)


def said(path: str, name: str, body: str) -> list[bytes]:
    """A chat message with one text."""
    return [block(path, "chat_message", name=name), markdown(f"{path}.0", body)]


def file_urls(request_id: str, *ids: str, error: str = "") -> bytes:
    message = ForwardMsg()
    message.file_urls_response.response_id = request_id
    message.file_urls_response.error_msg = error
    for id_ in ids:
        message.file_urls_response.file_urls.add(file_id=id_, upload_url=f"/_stcore/upload_file/s1/{id_}")
    return bytes(message.SerializeToString())


def cached(frame: bytes, name: str) -> bytes:
    message = ForwardMsg()
    message.ParseFromString(frame)
    message.hash = name
    message.metadata.cacheable = True
    return bytes(message.SerializeToString())


def reference(path: str, name: str) -> bytes:
    message = _delta(path, "")
    message.ref_hash = name
    return bytes(message.SerializeToString())


def _delta(path: str, fragment: str) -> Any:
    message = ForwardMsg()
    message.metadata.delta_path.extend(int(part) for part in path.split("."))
    message.delta.fragment_id = fragment
    return message


def _set(content: Any, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(content, name).extend(value)
        else:
            setattr(content, name, value)
