"""Inquiry: one question to one target, and what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glm_locust.cli.asked import Asked
from glm_locust.cli.transcript import Transcript
from glm_locust.config import ApiTarget, WebTarget
from glm_locust.errors import ConfigError
from glm_locust.protocols.streamlit.account import account_of
from glm_locust.records import Ended, Measurement, PathId, Phase
from glm_locust.transport.clock import now_ns
from glm_locust.users.api_client import ApiClient
from glm_locust.users.api_server import ApiServer
from glm_locust.users.streamlit_client import StreamlitClient
from glm_locust.users.streamlit_page import PageFaultError
from glm_locust.workload.prompt import Prompt

Ask = Callable[[Prompt], tuple[Asked, bool]]
"""Asks, and tells whether somebody interrupted it."""


@contextmanager
def asker(
    target: ApiTarget | WebTarget, transcript: Transcript | None, on_text: Callable[[str], None] | None
) -> Iterator[Ask]:
    """What asks this target; raises ConfigError where it cannot even be addressed."""
    if isinstance(target, ApiTarget):
        server = ApiServer(target, observer=transcript)
        if transcript is not None:
            transcript.hide = server.hide
        api = ApiClient(target, server=server, on_text=on_text)
        try:
            yield lambda prompt: _ask_api(api, server, prompt)
        finally:
            api.close()
    else:
        page = StreamlitClient(target, on_text=on_text, observer=transcript)
        if transcript is not None:
            transcript.hide = page.hide
        try:
            yield lambda prompt: _ask_page(page, target, prompt, explained=transcript is not None)
        finally:
            page.close()


def _ask_api(client: ApiClient, server: ApiServer, prompt: Prompt) -> tuple[Asked, bool]:
    path, url = PathId.API, server.base_url
    try:
        client.check()
    except ConfigError as error:
        return Asked(url, path, refusal=str(error)), False
    client.prepare(prompt)
    measurement, interrupted = _ask(client, prompt, path)
    record = measurement.seal(run_id="ask", worker_id="ask", seq=1)
    return Asked(url, path, record, answer=server.hide(_ended(measurement).text)), interrupted


def _ask_page(
    client: StreamlitClient, target: WebTarget, prompt: Prompt, *, explained: bool
) -> tuple[Asked, bool]:
    jupyter = target.jupyter_token.env is not None or target.jupyter_token.file is not None
    path, url = PathId.WEB_JUPYTER if jupyter else PathId.WEB, target.url
    try:
        client.inspect(len(prompt.images))
    except PageFaultError as fault:
        advice = "" if explained else "; --explain shows each step"
        known = account_of(client.session) if client.session.page.version else None
        return Asked(url, path, refusal=f"page {url}: {fault}{advice}", account=known), False
    measurement, interrupted = _ask(client, prompt, path)
    record = measurement.seal(run_id="ask", worker_id="ask", seq=1)
    answer = client.hide(_ended(measurement).text)
    return Asked(url, path, record, answer=answer, account=account_of(client.session)), interrupted


def _ask(client: ApiClient | StreamlitClient, prompt: Prompt, path: str) -> tuple[Measurement, bool]:
    measurement = Measurement(
        path=path,
        task=prompt.task,
        phase=Phase.MEASURE,
        prompt_id=prompt.prompt_id,
        scheduled_ns=now_ns(),
        images=len(prompt.images),
        image_pixels=prompt.image_pixels,
        image_bytes=prompt.image_bytes,
        in_flight_at_send=1,
    )
    try:
        client.ask(prompt, measurement)
    except KeyboardInterrupt:
        return measurement, True
    return measurement, False


def _ended(measurement: Measurement) -> Ended:
    assert measurement.ended is not None
    return measurement.ended
