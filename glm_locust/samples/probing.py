"""Rounds of probes that bound the offset between a worker's clock and an exporter's."""

from collections.abc import Callable

import httpx
import msgspec

from glm_locust.correlate import Offset, Probe, offset_of

PROBES = 20
ROUND_PERIOD_S = 60.0


class _Times(msgspec.Struct, frozen=True):
    t_in_ns: int
    t_out_ns: int


_decoder = msgspec.json.Decoder(_Times)


def probe_round(
    client: httpx.Client, exporter_url: str, now_ns: Callable[[], int], probes: int = PROBES
) -> Offset:
    """One round over one kept connection; raises httpx.HTTPError or ValueError where it fails.

    `now_ns` is the clock of the records. The first exchange pays for the connection and is left out.
    """
    url = exporter_url.rstrip("/") + "/v1/clock"
    taken = []
    for _ in range(probes + 1):
        t0_ns = now_ns()
        answer = client.get(url)
        t3_ns = now_ns()
        answer.raise_for_status()
        try:
            far = _decoder.decode(answer.content)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ValueError(f"{url} did not answer with times: {error}") from None
        taken.append(Probe(t0_ns, far.t_in_ns, far.t_out_ns, t3_ns))
    return offset_of(taken[1:])
