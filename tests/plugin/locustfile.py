"""Users of the marker server, for the tests of the plugin; settings come by environment variables."""

import os
import socket

import gevent
from locust import constant, runners

from glm_locust import plugin
from glm_locust.errors import ConfigError
from glm_locust.records import Accepted, Ended, Measurement, Outcome, Output, TextKind
from glm_locust.records.record import ErrorKind
from glm_locust.transport.clock import now_ns
from glm_locust.users.chat import ChatUser
from glm_locust.workload.prompt import Prompt

PORT = int(os.environ["MARKER_PORT"])
ANSWER_S = os.environ.get("MARKER_ANSWER_S", "0.3")

runners.HEARTBEAT_LIVENESS = int(os.environ.get("MARKER_LIVENESS", "3"))
plugin.install()
plugin.install()


class MarkerClient:
    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def check(self) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", PORT))
        except OSError as error:
            raise ConfigError(f"the marker server does not answer on port {PORT}: {error}") from None

    def prepare(self, prompt: Prompt) -> None:
        pass

    def ask(self, prompt: Prompt, measurement: Measurement) -> None:
        assert self._socket is not None
        try:
            measurement.submitted(now_ns())
            self._socket.sendall(f"{prompt.prompt_id} {ANSWER_S}\n".encode())
            while data := self._socket.recv(4096):
                at_ns = now_ns()
                measurement.signal(Accepted(), at_ns)
                measurement.signal(Output("answer", TextKind.ANSWER, len(data)), at_ns)
                if data.endswith(b"\n"):
                    measurement.signal(Ended(Outcome.OK, answer="answer", text="x"), at_ns)
                    return
            measurement.fail(ErrorKind.TRUNCATED, "closed", now_ns())
        except OSError as error:
            measurement.fail(ErrorKind.CONNECT, str(error), now_ns())
        except gevent.GreenletExit:
            measurement.cancel(now_ns())
            raise

    def idle(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class MarkerUser(ChatUser):
    path = "marker"
    wait_time = constant(0.01)

    def connect(self) -> MarkerClient:
        return MarkerClient()

    def make_prompt(self, task: str, index: int) -> Prompt:
        return Prompt(task, f"question {index}")
