"""The server whose truth is known, asked over a plain socket."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from glm_locust.ruler import read_truth
from tests.plugin.team import free_port, until

pytestmark = pytest.mark.servers

TOKENS, TTFT_MS, ITL_MS = 12, 60, 15


class Served:
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.truth = folder / "truth.jsonl"
        command = [sys.executable, "-m", "glm_locust.ruler.server", "--port", str(self.port)]
        command += ["--tokens", str(TOKENS), "--ttft-ms", str(TTFT_MS), "--itl-ms", str(ITL_MS)]
        self.process = subprocess.Popen([*command, "--truth", str(self.truth)])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) == 0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    until(server.truth.exists, "the server is there")
    yield server
    if server.process.poll() is None:
        server.end()


def test_its_truth_is_what_it_streams(served: Served) -> None:
    with httpx.Client(trust_env=False, timeout=30) as http:
        assert [model["id"] for model in http.get(f"{served.url}/models").json()["data"]] == ["ruler"]
        ids = []
        for _ in range(2):  # on one connection
            answer = http.post(f"{served.url}/chat/completions", json={"messages": []})
            lines = [line[6:] for line in answer.text.splitlines() if line]
            assert lines[-1] == "[DONE]"
            events = [json.loads(line) for line in lines[:-1]]
            texts = [choice["delta"].get("content") for event in events for choice in event["choices"]]
            assert texts.count("token ") == TOKENS
            assert events[-1]["usage"]["completion_tokens"] == TOKENS
            ids.append(events[0]["id"])
    served.end()
    truth = read_truth(served.truth)
    assert list(truth) == ids
    for one in truth.values():
        assert len(one.token_ns) == TOKENS
        assert one.token_ns[0] - one.received_ns >= TTFT_MS * 1e6
        assert all(later > earlier for earlier, later in pairwise(one.token_ns))
        assert one.token_ns[-1] - one.received_ns >= (TTFT_MS + (TOKENS - 1) * ITL_MS) * 1e6


def test_a_client_that_leaves_disturbs_nobody(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as rude:
        rude.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        assert rude.recv(1)
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Le")
        answer = httpx.post(f"{served.url}/chat/completions", json={}, trust_env=False, timeout=30)
        assert answer.text.count("token ") == TOKENS
        slow.sendall(b"ngth: 2\r\n\r\n{}")
        assert slow.recv(1)
