"""Sampling during a run: the master keeps a process that fetches, workers only compare clocks."""

import json
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import gevent
import gevent.event

from glm_locust.config import Scenario
from glm_locust.errors import ConfigError, one_line
from glm_locust.plugin.guard import Guard
from glm_locust.run import Run
from glm_locust.samples.probing import ROUND_PERIOD_S, ClockProbe
from glm_locust.samples.sources import AUTH_VARIABLE, Sources, basic_auth_header, sources_of, tls_context
from glm_locust.samples.store import CLOCKS_NAME, Clock, append_clock
from glm_locust.transport.channel import Channel
from glm_locust.transport.clock import now_ns
from glm_locust.transport.messages import Message, unpack

BEFORE_RUN_NS = 5_000_000_000
"""Samples from before the first request: its windows need them."""
WATCH_S = 1.0
STOP_S = 10.0
"""How long the fetching process may take for its last round."""
MOST_STARTS = 5
PAUSE_S = 0.02
"""Between two probes of a clock: users have their turn."""

_log = logging.getLogger("glm_locust")


class ClockRound(Message, frozen=True, kw_only=True):
    """Up: an exporter's clock minus this worker's."""

    KIND: ClassVar[str] = "glm_clock"
    source: str
    at_ns: int
    offset_ns: int
    bound_ns: int
    stepped: bool


class Sampling:
    """On the master: the samples of one run after the other. No fault of it ever ends a run."""

    def __init__(self, channel: Channel, guard: Guard) -> None:
        self._run: Run | None = None
        self._fetching: _Fetching | None = None
        channel.on(ClockRound.KIND, guard(self._take_round))

    def start(self, scenario: Scenario, run: Run) -> None:
        """A run begins; raises ConfigError where a secret cannot be read."""
        self._run = run
        sources = sources_of(scenario)
        self._fetching = _Fetching(sources, run) if sources else None

    def stop(self) -> None:
        """All requests have ended: fetch the last samples and note what went wrong."""
        if self._fetching is not None and self._run is not None:
            self._run.notes.extend(self._fetching.stop())
            self._fetching = None

    def _take_round(self, worker: str, data: dict[str, Any]) -> None:
        round_ = unpack(ClockRound, data)
        if self._run is None or round_.run_id != self._run.run_id:
            return
        clock = Clock(
            source=round_.source,
            worker=worker,
            at_ns=round_.at_ns,
            offset_ns=round_.offset_ns,
            bound_ns=round_.bound_ns,
            stepped=round_.stepped,
        )
        try:
            append_clock(self._run.run_dir / CLOCKS_NAME, clock)
        except OSError as error:
            _log.warning("glm_locust: a comparison of clocks was not kept: %s", error.strerror)


class _Fetching:
    """The fetching process; one that dies is started again, on a file of its own."""

    def __init__(self, sources: Sources, run: Run) -> None:
        order = {
            "run_dir": str(run.run_dir.absolute()),
            "since_ns": run.header.started_ns - BEFORE_RUN_NS,
            "exporters": sources.exporters,
            "metrics": sources.metrics,
            "host": platform.node(),
            "ca": sources.ca,
        }
        self._order = json.dumps(order).encode() + b"\n"
        self._auth = sources.auth
        self._log = run.run_dir / "samples.log"
        self._notes: list[str] = []
        self._starts = 0
        self._process = self._start()
        self._watch = gevent.spawn(self._look_after)

    def stop(self) -> list[str]:
        self._watch.kill()
        if self._process is None:
            return self._notes
        try:
            told, _ = self._process.communicate(timeout=STOP_S)  # closes its input: it fetches once more
        except subprocess.TimeoutExpired:
            self._process.kill()
            told, _ = self._process.communicate()
            self._notes.append(
                f"samples: the fetching process did not end in {STOP_S:g} s; its last rows are lost"
            )
        else:
            if self._process.returncode:
                self._notes.append(self._died(self._process.returncode))
        self._notes += [one_line(line) for line in told.decode(errors="replace").splitlines()]
        _remove_if_empty(self._log)
        return self._notes

    def _start(self) -> "subprocess.Popen[bytes] | None":
        self._starts += 1
        secret = {} if self._auth is None else {AUTH_VARIABLE: self._auth}
        try:
            with self._log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "glm_locust.samples.fetch"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **secret},
                )
            assert process.stdin is not None
            process.stdin.write(self._order)
            process.stdin.flush()
        except OSError as error:
            self._notes.append(f"samples: the fetching process did not start: {error.strerror}")
            return None
        return process

    def _look_after(self) -> None:
        while self._process is not None:
            gevent.sleep(WATCH_S)
            if (code := self._process.poll()) is None:
                continue
            self._notes.append(self._died(code))
            _log.warning("glm_locust: %s", self._notes[-1])
            self._process = self._start() if self._starts < MOST_STARTS else None

    def _died(self, code: int) -> str:
        why = f"by signal {-code}" if code < 0 else f"with code {code}, see {self._log.name}"
        return f"samples: the fetching process ended {why}"


class WorkerClocks:
    """On a worker: compares its clock with the exporters' at the start, every minute and at the end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ending = gevent.event.Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self, run_id: str, scenario: Scenario) -> None:
        """A run begins."""
        if not scenario.exporter:
            return
        try:
            sources = sources_of(scenario)
            secured = any(url.startswith("https:") for url in sources.exporters.values())
            tls = tls_context(sources.ca) if secured else None
        except ConfigError as error:
            _log.warning("glm_locust: this worker's clock will not be compared: %s", error)
            return
        authorization = None if sources.auth is None else basic_auth_header(sources.auth)
        probes = {
            source: ClockProbe(url, now_ns, authorization=authorization, tls=tls)
            for source, url in sources.exporters.items()
        }
        self._ending = gevent.event.Event()
        self._greenlet = gevent.spawn(self._work, run_id, probes, self._ending)

    def finish(self) -> None:
        """All requests have ended: one more round."""
        self._ending.set()
        if self._greenlet is not None:
            self._greenlet.join(STOP_S / 2)
            self._greenlet.kill(block=False)
            self._greenlet = None

    def _work(self, run_id: str, probes: dict[str, ClockProbe], ending: gevent.event.Event) -> None:
        complained: set[str] = set()
        last = False
        while True:
            for source, probe in probes.items():
                try:
                    offset = probe.round(pause=lambda: gevent.sleep(0 if ending.is_set() else PAUSE_S))
                    message = ClockRound(
                        run_id=run_id,
                        source=source,
                        at_ns=offset.at_ns,
                        offset_ns=offset.offset_ns,
                        bound_ns=offset.bound_ns,
                        stepped=offset.stepped,
                    )
                    self._channel.send(message.KIND, message.pack())
                except Exception as error:  # noqa: BLE001 - a clock that is not compared costs no request
                    if source not in complained:
                        complained.add(source)
                        why = one_line(str(error) or type(error).__name__)
                        _log.warning("glm_locust: the clock of %s was not compared: %s", source, why)
            if last:
                return
            last = ending.wait(ROUND_PERIOD_S)


def _remove_if_empty(path: Path) -> None:
    try:
        if not path.stat().st_size:
            path.unlink()
    except OSError:
        return
