"""The simulated model server: FastAPI and uvicorn around the engine model.

Run as `python -m glm_locust.testbed.server`; the launcher does that.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from glm_locust.errors import ConfigError
from glm_locust.testbed.chat import ChatCompletions
from glm_locust.testbed.engine import Engine
from glm_locust.testbed.engine_loop import EngineLoop
from glm_locust.testbed.faults import Fault, FaultSwitch, parse_fault
from glm_locust.testbed.pace import PaceFile
from glm_locust.testbed.ports import listen
from glm_locust.testbed.presets import MODEL, EngineSpec, preset_named
from glm_locust.testbed.telemetry import Telemetry
from glm_locust.testbed.truth import TruthLog
from glm_locust.testbed.wire import ApiError, error_body


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What one server is to be."""

    spec: EngineSpec
    truth: TruthLog
    """Open for as long as the server runs."""
    seed: int = 0
    model: str = MODEL
    api_key: str | None = None
    faults: tuple[Fault, ...] = ()
    pace: PaceFile | None = None


def create_app(settings: ServerSettings) -> FastAPI:
    """The application."""
    engine = _engine(settings)
    telemetry = Telemetry(engine, settings.model)
    faults = FaultSwitch(settings.faults)
    chat = ChatCompletions(
        engine=EngineLoop(engine, telemetry),
        truth=settings.truth,
        faults=faults,
        model=settings.model,
        seed=settings.seed,
        api_key=settings.api_key,
    )
    created = int(time.time())

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # What has been imported stays for good: the collector need not pause a stream to look at it.
        gc.collect()
        gc.freeze()
        yield

    app = FastAPI(title="Simulated model server", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_route("/v1/chat/completions", chat, methods=["POST"])  # type: ignore[arg-type]  # any ASGI app

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        chat.authorise(request.headers.get("authorization"))
        limit = settings.spec.max_model_tokens
        card = {
            "id": settings.model,
            "object": "model",
            "created": created,
            "owned_by": "glm-locust",
            "root": settings.model,
            "max_model_len": limit,
        }
        return _json(200, msgspec.json.encode({"object": "list", "data": [card]}))

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(telemetry.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/testbed/faults")
    async def list_faults(request: Request) -> Response:
        _local_only(request)
        return _json(200, msgspec.json.encode({"pending": len(faults)}))

    @app.post("/testbed/faults")
    async def add_faults(request: Request) -> Response:
        _local_only(request)
        # A page in a browser cannot send this type to another origin without asking first.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise ApiError(400, "expected Content-Type: application/json")
        try:
            faults.add((msgspec.json.decode(await request.body(), type=Fault),))
        except msgspec.DecodeError as error:
            raise ApiError(422, str(error), kind="UnprocessableEntityError") from None
        return _json(200, msgspec.json.encode({"pending": len(faults)}))

    @app.delete("/testbed/faults")
    async def clear_faults(request: Request) -> Response:
        _local_only(request)
        faults.clear()
        return _json(200, msgspec.json.encode({"pending": 0}))

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        response = _json(error.status, error.body)
        response.headers.update({name.decode(): value.decode() for name, value in error.headers})
        return response

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        kind = "NotFoundError" if error.status_code == 404 else "BadRequestError"
        return _json(error.status_code, error_body(error.status_code, str(error.detail), kind))

    return app


def _engine(settings: ServerSettings) -> Engine:
    pace = settings.pace
    if pace is None:
        return Engine(settings.spec)
    epoch_s = time.time() - time.monotonic()  # the engine's instants are those of asyncio's clock
    return Engine(settings.spec, lambda at_s: pace.factor_at(epoch_s + at_s))


def uvicorn_server(app: FastAPI) -> uvicorn.Server:
    """A server for `app`; run it with `serve(sockets=[ports.listen(...)])`."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            loop="asyncio",
            http="httptools",
            ws="none",
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )


def _json(status: int, data: bytes) -> Response:
    return Response(data, status_code=status, media_type="application/json")


def _local_only(request: Request) -> None:
    if request.client is None or request.client.host != "127.0.0.1":
        raise HTTPException(404, "Not Found")


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop."""
    parser = argparse.ArgumentParser(prog="python -m glm_locust.testbed.server", description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--fd", type=int, help="inherited listening socket, in place of --port")
    parser.add_argument("--preset", default="demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--truth-log", type=Path, default=Path("truth.jsonl"))
    parser.add_argument("--api-key-env", help="environment variable that holds the API key to ask for")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND[:NAME=VALUE,...]")
    parser.add_argument("--pace-file", type=Path, help="how much slower the engine is, and when")
    given = parser.parse_args(arguments)
    try:
        sock = listen(given.port) if given.fd is None else socket.socket(fileno=given.fd)
        with TruthLog(given.truth_log) as truth:
            settings = ServerSettings(
                spec=preset_named(given.preset),
                truth=truth,
                seed=given.seed,
                api_key=os.environ[given.api_key_env] if given.api_key_env else None,
                faults=tuple(parse_fault(fault) for fault in given.fault),
                pace=PaceFile(given.pace_file) if given.pace_file else None,
            )
            asyncio.run(uvicorn_server(create_app(settings)).serve(sockets=[sock]))
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main())
