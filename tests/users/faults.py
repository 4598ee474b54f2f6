"""The faults of a page: how each is made to happen, and what it must be called.

Those of a real server happen to one whose connections go through a relay, the others to a scripted page.
"""

import contextlib
import os
import re
import shutil
import signal
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from glm_locust.config import Deadlines
from glm_locust.records import ErrorKind, Measurement, Phase, RequestRecord
from glm_locust.transport.clock import now_ns
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.workload.prompt import Image, Prompt
from tests.protocols.streamlit import messages
from tests.servers.scripted_page import TEXT, ScriptedPage, Tab, auth_redirect, begins, frame, scripted_page
from tests.users.pages import APPS, PageServer
from tests.users.relay import Relay, relay_to

OPTIONS = (
    *("--server.maxUploadSize", "1", "--server.maxMessageSize", "1", "--server.maxWidgetStateSize", "1"),
    *("--server.runOnSave", "true", "--server.fileWatcherType", "poll"),
)
TOKEN = "t0p-s3cret-t0ken"
MIDDLE = b"t3_"
"""In the middle of an answer of a test app."""
PLACEHOLDER = b"Ask me anything"


class Stage:
    """A real server with a relay before it, and a scripted page."""

    def __init__(self, server: "FaultyServer", relay: Relay, scripted: ScriptedPage) -> None:
        self.server = server
        self.relay = relay
        self.scripted = scripted


class FaultyServer(PageServer):
    """A server of the faulty app whose script is a copy that may be changed."""

    def __init__(self, workdir: Path) -> None:
        for name in ("faulty.py", "tokens.py"):
            shutil.copy(APPS / name, workdir)
        self.script = workdir / "faulty.py"
        self.good = self.script.read_text()
        super().__init__(str(self.script.with_suffix("")), workdir, options=OPTIONS)

    def signal(self, number: int) -> None:
        assert self._child is not None
        os.kill(self._child.pid, number)

    def restart(self) -> None:
        self.kill()
        self.start()

    def write(self, script: str) -> None:
        """Save the script, as an editor does; the server looks at it again and again."""
        self.script.write_text(script)


@contextlib.contextmanager
def stage(workdir: Path) -> Iterator[Stage]:
    server = FaultyServer(workdir)
    try:
        server.start()
        with relay_to(server.port) as relay, scripted_page() as scripted:
            yield Stage(server, relay, scripted)
    finally:
        server.kill()


Begin = Callable[[Stage], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """One fault: `begin` makes it happen to the next question and mends all at its end."""

    name: str
    kind: ErrorKind
    says: str
    """Pattern of the line."""
    begin: Begin
    prompt: str = "[ttft=0.2 gap=0.2 n=100]"
    images: tuple[Image, ...] = ()
    deadlines: Deadlines = field(default_factory=Deadlines)
    scripted: bool = False
    exit_code: int | None = 1
    """Of `glm-locust ask`; None: it cannot happen to a single question, or another fault ends it alike."""

    def url(self, on: Stage) -> str:
        return on.scripted.url if self.scripted else on.relay.url


def quietly(_: Stage) -> AbstractContextManager[None]:
    """The prompt alone does it."""
    return contextlib.nullcontext()


def in_the_middle(act: Callable[[Stage], object], mend: Callable[[Stage], object]) -> Begin:
    """Act once when the middle of an answer has come by."""

    @contextlib.contextmanager
    def begin(on: Stage) -> Iterator[None]:
        acted: list[bool] = []

        def hear(data: bytes) -> None:
            if MIDDLE in data and not acted:
                acted.append(True)
                act(on)

        on.relay.heard = hear
        try:
            yield
        finally:
            on.relay.heard = len
            mend(on)

    return begin


def changing(pattern: bytes, to: bytes, *, reconnect: bool = False) -> Begin:
    """Change what goes to the server."""

    @contextlib.contextmanager
    def begin(on: Stage) -> Iterator[None]:
        on.relay.change = lambda data: re.sub(pattern, to, data)
        if reconnect:
            on.relay.cut()
        try:
            yield
        finally:
            on.relay.change = bytes

    return begin


def restarted(on: Stage) -> None:
    on.server.restart()
    on.relay.cut()  # the old connections end here, whenever the relay's greenlets run next


def broken_script(on: Stage) -> None:
    on.server.write("def\n")


def mended_script(on: Stage) -> None:
    shown = Event()
    on.relay.heard = lambda data: shown.set() if PLACEHOLDER in data else None
    on.server.write(on.server.good)
    with gevent.Timeout(30, AssertionError("the mended script did not run")):
        while on.relay.carrying and not shown.wait(0.1):
            pass
    on.relay.heard = len
    if not shown.is_set():
        restarted(on)  # without a user there the server does not look at the file


def script_saved_again(on: Stage) -> None:
    on.server.write(f"{on.server.good}\n# saved at {time.time_ns()}\n")


@contextlib.contextmanager
def forgotten(on: Stage) -> Iterator[None]:
    restarted(on)
    yield


@contextlib.contextmanager
def frozen(on: Stage) -> Iterator[None]:
    on.server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        on.server.signal(signal.SIGCONT)


def playing(*acts: Callable[[Tab], None]) -> Begin:
    """The scripted page does this in place of an answer."""

    @contextlib.contextmanager
    def begin(on: Stage) -> Iterator[None]:
        def trouble(tab: Tab) -> None:
            for act in acts:
                act(tab)

        on.scripted.trouble = trouble
        try:
            yield
        finally:
            on.scripted.trouble = None

    return begin


def sends(*datas: bytes) -> Callable[[Tab], None]:
    return lambda tab: tab.send(*datas)


def sends_raw(data: bytes) -> Callable[[Tab], None]:
    return lambda tab: tab.send_raw(data)


def closes(code: int, reason: str = "") -> Callable[[Tab], None]:
    return lambda tab: tab.close(code, reason)


def image(size: int, name: str = "photo.png") -> tuple[Image, ...]:
    return (Image(b"\x89PNG" + bytes(size - 4), "image/png", 8, 8, name),)


REAL = (
    Fault(
        "server restarted in mid-answer",
        ErrorKind.TRUNCATED,
        r"websocket closed by the server with code 1012",
        in_the_middle(lambda on: on.server.signal(signal.SIGTERM), restarted),
    ),
    Fault(
        "server killed in mid-answer",
        ErrorKind.TRUNCATED,
        r"connection (closed|reset) by the server in the middle of the answer",
        in_the_middle(lambda on: on.server.kill(), restarted),
        exit_code=None,
    ),
    Fault(
        "session lost while the user was thinking",
        ErrorKind.SESSION_LOST,
        "the page had forgotten the session",
        forgotten,
        exit_code=None,
    ),
    Fault(
        "upload refused: XSRF",
        ErrorKind.HTTP_STATUS,
        "upload refused with HTTP status 403",
        changing(b"(?i)x-xsrftoken", b"X-Other-Header"),
        images=image(100),
    ),
    Fault(
        "upload refused: too large",
        ErrorKind.HTTP_STATUS,
        "upload refused with HTTP status 413: the file is larger than the page takes",
        quietly,
        images=image(3_000_000),
    ),
    Fault(
        "upload refused: wrong type",
        ErrorKind.SERVER_ERROR,
        r"\.jpg",
        quietly,
        images=image(100, "photo.jpg"),
    ),
    Fault(
        "upload refused: another replica",
        ErrorKind.HTTP_STATUS,
        "upload refused with HTTP status 400.*replicas without sticky sessions",
        changing(rb"(PUT /_stcore/upload_file/)[0-9a-f]{8}", rb"\g<1>00000000"),
        images=image(100),
    ),
    Fault(
        "script exception",
        ErrorKind.SERVER_ERROR,
        r"ValueError: boom token \*\*\* in two lines",
        quietly,
        "RAISE",
    ),
    Fault("st.error", ErrorKind.SERVER_ERROR, "the model is not loaded", quietly, "ERROR"),
    Fault(
        "st.stop",
        ErrorKind.EMPTY,
        "the script ended without an answer",
        quietly,
        "SILENT",
    ),
    Fault(
        "compile error",
        ErrorKind.SERVER_ERROR,
        "the page's script does not compile: SyntaxError",
        in_the_middle(broken_script, mended_script),
    ),
    Fault(
        "interrupted run",
        ErrorKind.TRUNCATED,
        "the script was started again before its answer had ended",
        in_the_middle(script_saved_again, lambda _: None),
    ),
    Fault(
        "stuck before the script's start: frozen server",
        ErrorKind.TIMEOUT_FIRST_OUTPUT,
        r"the page's script did not start within 4 s \(deadline script_start_s\)",
        frozen,
        deadlines=Deadlines(script_start_s=4),
        exit_code=None,
    ),
    Fault(
        "stuck before the first output",
        ErrorKind.TIMEOUT_FIRST_OUTPUT,
        r"no text came within 5 s \(deadline first_output_s\)",
        quietly,
        "[ttft=60]",
        deadlines=Deadlines(first_output_s=5),
        exit_code=None,
    ),
    Fault(
        "stuck in mid-answer",
        ErrorKind.TIMEOUT_STALL,
        r"no further text came within 3 s \(deadline stall_s\)",
        quietly,
        "[gap=60 n=2]",
        deadlines=Deadlines(stall_s=3),
    ),
    Fault(
        "an answer without end",
        ErrorKind.TIMEOUT_TOTAL,
        r"the answer did not end within 6 s \(deadline total_s\)",
        quietly,
        deadlines=Deadlines(total_s=6),
        exit_code=None,
    ),
    Fault(
        "websocket refused: origin",
        ErrorKind.HTTP_STATUS,
        "websocket refused with HTTP status 403: origin",
        changing(rb"Origin: http://[\d.:]+", b"Origin: http://elsewhere.example", reconnect=True),
        exit_code=64,
    ),
    Fault(
        "question above the server's limit",
        ErrorKind.REJECTED,
        r"websocket closed by the server with code 1009",
        quietly,
        "word " * 400_000,
    ),
    Fault("answer above the server's limit", ErrorKind.SERVER_ERROR, "MessageSizeError", quietly, "HUGE"),
)


def played(name: str, kind: ErrorKind, says: str, *acts: Callable[[Tab], None], **more: Any) -> Fault:
    return Fault(name, kind, says, playing(*acts), "hello", scripted=True, **more)


SCRIPTED = (
    played(
        "garbage in place of a message",
        ErrorKind.PROTOCOL,
        "4 bytes that are no Streamlit message",
        begins,
        sends(b"\xff\xff\xff\xff"),
    ),
    played(
        "a text message",
        ErrorKind.PROTOCOL,
        "a text message where only binary ones are spoken",
        begins,
        sends_raw(frame(b"hi", TEXT)),
    ),
    played("a broken frame", ErrorKind.PROTOCOL, "broken websocket frame", sends_raw(b"\xf3\x02ab")),
    played(
        "message above our limit",
        ErrorKind.PROTOCOL,
        "a message of more than 268435456 bytes",
        begins,
        sends_raw(b"\x82\x7f" + struct.pack("!Q", 1 << 34)),
    ),
    played(
        "end without a goodbye in mid-answer",
        ErrorKind.TRUNCATED,
        "connection closed by the server in the middle of the answer",
        begins,
        lambda tab: tab.sock.shutdown(2),
    ),
    played("close code before the answer", ErrorKind.CONNECT, r"code 1001 \(going away\)", closes(1001)),
    played("close code 1000", ErrorKind.TRUNCATED, r"code 1000 \(bye\)", begins, closes(1000, "bye")),
    played("close code 1002", ErrorKind.PROTOCOL, r"code 1002 \(protocol error\)", closes(1002)),
    played("close code 1008", ErrorKind.REJECTED, r"code 1008 \(policy violation\)", closes(1008)),
    played("close code 1011", ErrorKind.SERVER_ERROR, r"code 1011 \(internal error\)", begins, closes(1011)),
    played("close code 1012", ErrorKind.TRUNCATED, r"code 1012 \(service restart\)", begins, closes(1012)),
    played("close code 1013", ErrorKind.REJECTED, r"code 1013 \(try again later\)", closes(1013)),
    played("close code of an app's own", ErrorKind.TRUNCATED, r"code 4321$", begins, closes(4321)),
    played(
        "login asked for",
        ErrorKind.SERVER_ERROR,
        "the page asks for a login",
        sends(messages.started(), auth_redirect()),
    ),
    played(
        "stuck before the script's start",
        ErrorKind.TIMEOUT_FIRST_OUTPUT,
        r"the page's script did not start within 1 s \(deadline script_start_s\)",
        deadlines=Deadlines(script_start_s=1),
    ),
)

FAULTS = REAL + SCRIPTED


def ask(client: StreamlitClient, text: str, images: tuple[Image, ...] = ()) -> RequestRecord:
    prompt = Prompt("test", text, images)
    measurement = Measurement(
        path="web",
        task=prompt.task,
        phase=Phase.MEASURE,
        prompt_id=prompt.prompt_id,
        scheduled_ns=now_ns(),
        images=len(prompt.images),
    )
    client.ask(prompt, measurement)
    return measurement.seal(run_id="r", worker_id="w", seq=1)
