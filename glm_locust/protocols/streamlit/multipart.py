"""The body of an upload: one file as multipart/form-data."""

import secrets

from glm_locust.workload.prompt import Image


def multipart(image: Image) -> tuple[bytes, str]:
    """The body and its content type; the one part is named as a browser names it, by the file."""
    boundary = f"----glm{secrets.token_hex(12)}"
    name = image.name.replace("\\", "_").replace('"', "%22").replace("\r", "").replace("\n", "")
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
        f"Content-Type: {image.media_type}\r\n\r\n"
    )
    body = b"".join((head.encode(), image.data, f"\r\n--{boundary}--\r\n".encode()))
    return body, f"multipart/form-data; boundary={boundary}"
