"""Rounds of probes that bound the offset between a worker's clock and an exporter's."""

import http.client
import ssl
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

import msgspec

from glm_locust.correlate.probes import Offset, Probe, offset_of

PROBES = 20
ROUND_PERIOD_S = 60.0
TIMEOUT_S = 2.0


class _Times(msgspec.Struct, frozen=True):
    t_in_ns: int
    t_out_ns: int


_decoder = msgspec.json.Decoder(_Times)


class ClockProbe:
    """Asks one exporter for its time, over a connection of its own.

    The standard library's client: what a richer one does between its caller and the socket would
    widen the bound.
    """

    def __init__(
        self,
        exporter_url: str,
        now_ns: Callable[[], int],
        *,
        authorization: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`now_ns` is the near clock, that of the records; `authorization` the header's whole value."""
        parts = urlsplit(exporter_url)
        assert parts.hostname is not None
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=TIMEOUT_S, context=tls
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
        self._path = parts.path.rstrip("/") + "/v1/clock"
        self._headers = {} if authorization is None else {"Authorization": authorization}
        self._now_ns = now_ns

    def round(self, probes: int = PROBES, pause: Callable[[], None] = lambda: None) -> Offset:
        """One round, with `pause` after each probe; raises OSError or ValueError where it fails."""
        try:
            # The first exchange pays for the connection and is left out.
            taken = [self._probe()]
            for _ in range(probes):
                pause()
                taken.append(self._probe())
        except http.client.HTTPException as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        finally:
            self._connection.close()
        return offset_of(taken[1:])

    def _probe(self) -> Probe:
        t0_ns = self._now_ns()
        self._connection.request("GET", self._path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        t3_ns = self._now_ns()
        if answer.status != http.client.OK:
            raise ValueError(f"{self._path} answered with status {answer.status}")
        try:
            far = _decoder.decode(body)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{self._path} did not answer with times: {error}") from None
        return Probe(t0_ns, far.t_in_ns, far.t_out_ns, t3_ns)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
