"""The command ``glm-gpu-exporter``: puts sources, state and server together and runs until a signal."""

import contextlib
import ctypes
import ipaddress
import logging
import os
import signal
import sys
import threading

from prometheus_client import CollectorRegistry

from glm_gpu_exporter.access import BasicAuth, tls_context
from glm_gpu_exporter.announce import Announcer, why
from glm_gpu_exporter.capture import Recorder, Replay
from glm_gpu_exporter.child_process import ChildProcess
from glm_gpu_exporter.collector import Collector
from glm_gpu_exporter.config import Options, parse_options
from glm_gpu_exporter.errors import ConfigError
from glm_gpu_exporter.host import HostSampler
from glm_gpu_exporter.intake import Intake
from glm_gpu_exporter.metrics import aliases_table, metrics_table
from glm_gpu_exporter.process_groups import ProcessGroups
from glm_gpu_exporter.ring import Ring
from glm_gpu_exporter.rows import Row, encoded, rows_table
from glm_gpu_exporter.server import ExporterServer
from glm_gpu_exporter.state import State

USAGE_EXIT = 64
INTERRUPTED_EXIT = 130
FIRST_WORD_S = 10.0
"""How long --require-gpu waits for NVML."""
M_ARENA_MAX = -8
"""Parameter of glibc's mallopt()."""

logger = logging.getLogger(__name__)


class LiveSource:
    """Rows of this machine: the NVML child and the host sampler."""

    def __init__(self, options: Options, intake: Intake) -> None:
        self._intake = intake
        self._announcer = Announcer()
        self._groups = ProcessGroups(options.groups, self._own_pids)
        self._child = ChildProcess(options.period_s, self._from_child)
        self._host = HostSampler(self._groups, self._own_pids, intake.put)

    def start(self) -> None:
        """Begin to sample."""
        self._child.start()
        self._host.start()

    def close(self) -> None:
        """End sampling; a child inside a driver call is left to end by itself."""
        self._host.close()
        pid = self._child.pid()
        if not self._child.close():
            logger.warning("NVML child %s is inside a driver call and ends when that returns", pid)

    def _from_child(self, batch: list[tuple[Row, bytes]]) -> None:
        for position, (row, _) in enumerate(batch):
            if row["kind"] == "gpu_processes":
                for process in row["processes"]:
                    process["group"] = self._groups.group_of(process["pid"])
                batch[position] = (row, encoded(row))
            self._announcer.hear(row)
        self._intake.put_all(batch)

    def _own_pids(self) -> list[int]:
        child = self._child.pid()
        return [os.getpid()] if child is None else [os.getpid(), child]


def _server(options: Options, intake: Intake) -> ExporterServer:
    auth = None
    if options.basic_auth_env is not None:
        auth = BasicAuth.from_environment(options.basic_auth_env)
    elif options.basic_auth_file is not None:
        auth = BasicAuth.from_file(options.basic_auth_file)
    tls = None
    if options.tls_cert is not None:
        tls = tls_context(options.tls_cert, options.tls_key, options.tls_client_ca)
    if not _is_loopback(options.listen[0]) and (auth is None or tls is None):
        logger.warning("%s is reachable from other machines without TLS and basic auth", options.listen[0])
    registry = CollectorRegistry()
    registry.register(Collector(intake, options.dcgm_compat))
    return ExporterServer(options.listen, registry, intake, auth, tls)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_gpu(intake: Intake) -> None:
    row = intake.wait_for_nvml(FIRST_WORD_S)
    if row is None:
        raise ConfigError(f"--require-gpu: NVML has not answered in {FIRST_WORD_S:g} s")
    if row["state"] in ("no_driver", "error"):
        raise ConfigError(f"--require-gpu: {why(row)}")
    if row.get("count") == 0:
        raise ConfigError("--require-gpu: the driver knows no GPU")


def run(options: Options) -> int:
    """Serves until SIGTERM or SIGINT; the exit code."""
    recorder = None if options.record is None else Recorder(options.record)
    intake = Intake(State(options.stale_s), Ring(options.keep_s), recorder.write if recorder else None)
    server = _server(options, intake)
    source = (
        LiveSource(options, intake)
        if options.replay is None
        else Replay(options.replay, options.loop, intake.put)
    )
    received: list[int] = []
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        received.append(number)
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    if recorder is not None:
        recorder.start()
    source.start()
    try:
        if options.require_gpu:
            _check_gpu(intake)
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
        print(f"listening on {server.url}", flush=True)
        stop.wait()
        server.shutdown()
    finally:
        source.close()
        server.server_close()
        if recorder is not None:
            recorder.close()
    return INTERRUPTED_EXIT if received[0] == signal.SIGINT else 0


def _share_heap() -> None:
    """One heap for all threads, where the C library is glibc: each connection's thread would grow its own."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    logging.basicConfig(level=logging.INFO, format="glm-gpu-exporter: %(message)s", stream=sys.stderr)
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
        if options.print_tables:
            print("\n\n".join([metrics_table(), aliases_table(), rows_table()]))
            return 0
        _share_heap()
        return run(options)
    except ConfigError as error:
        print(f"glm-gpu-exporter: {error}", file=sys.stderr)
        return USAGE_EXIT
