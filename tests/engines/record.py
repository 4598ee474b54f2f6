"""Records what real engines send, for `tests/captures/engines`; not a test.

    python -m tests.engines.record

Line 1 is the request; each further line is one read from the socket: `t` is seconds since the request
was written, `raw` the bytes as latin-1, HTTP head and chunk framing included.
"""

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from glm_locust.testbed import Testbed
from tests.engines.conftest import OPTIONS, QUIET
from tests.setup import engine_envs

CAPTURES = Path(__file__).parents[1] / "captures" / "engines"
CASES: dict[str, dict[str, Any]] = {
    "thinking": {},
    "quiet": QUIET,
    "one_token": QUIET | {"max_tokens": 1},
    "length": {"max_tokens": 9},
    "bad_temperature": {"temperature": -1},
}
OF_VLLM: dict[str, dict[str, Any]] = {
    "interval": QUIET | {"stream_interval": 4},
    "speculation": QUIET | {"ignore_eos": True, "temperature": 0, "max_tokens": 90},
}


def record(url: str, body: dict[str, Any], hidden: str, path: Path) -> None:
    """Ask once; `hidden`, a path of this machine, is replaced by a name of the same length."""
    address = urlsplit(url)
    payload = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    lines = [json.dumps({"request": body})]
    with socket.create_connection((address.hostname, address.port), timeout=60) as sock:
        sock.sendall(head.encode() + payload)
        begun = time.perf_counter()
        while data := sock.recv(1 << 16):
            at = round(time.perf_counter() - begun, 6)
            lines.append(json.dumps({"t": at, "raw": data.decode("latin-1")}))
    name = "/models/".ljust(len(hidden), "x")
    path.write_text("\n".join(lines).replace(hidden, name) + "\n")


def main() -> int:
    """Record all cases of all engines."""
    CAPTURES.mkdir(exist_ok=True)
    for name, options in OPTIONS.items():
        engine = engine_envs.engine(name, *options)
        model = engine_envs.model(engine)
        with Testbed(engine=engine, model_dir=model, web=False) as testbed:
            for case, more in (CASES | (OF_VLLM if name == "vllm" else {})).items():
                body = {
                    "model": testbed.model,
                    "messages": [{"role": "user", "content": "What is this?"}],
                    "stream": True,
                    "stream_options": {"include_usage": True},
                }
                record(testbed.api_url, body | more, str(model.resolve()), CAPTURES / f"{name}_{case}.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
