"""Rows: what the child tells the parent, what /v1/samples hands out, what a capture holds.

A row is one JSON object on a line.  Every row has ``kind``, ``t0_ns`` and ``t1_ns`` (wall clock, ns since
the epoch: before and after the reading); rows handed out by /v1/samples have a ``seq``, too.
"""

import json
from typing import Any

Row = dict[str, Any]

KINDS = {
    "nvml": "`state` of the library (`ok`, `no_driver`, `error`, `ended`); when ok `count` of GPUs, "
    "`driver_version`, `period_s`; when not, `call` and `code` of the failure",
    "gpu_identity": "`gpu` (index), `uuid`, `name`, `pci_bus_id`; in use: `memory_api` (`v2`, `v1`) and "
    "`power_source` (`instant`, `driver`)",
    "gpu": "the readings of one cycle: `gpu`, `v` (metric -> value; `throttle_mask`: clock event reasons)",
    "gpu_slow": "the readings taken once a second: `gpu`, `v`",
    "gpu_activity": "GPM shares over the time since the row before: `gpu`, `v`",
    "gpu_buffer": "what the driver itself has sampled since the row before: `gpu`, `metric`, side by side "
    "`t_ns` and `v`; finer than `gpu` rows where the driver samples faster than it is polled",
    "gpu_mig": "memory of the MIG devices of a GPU: `gpu`, `instances` (identity and `v` of each)",
    "gpu_processes": "compute processes on a GPU: `gpu`, `processes` (`pid`, `bytes`, `group`)",
    "gpu_disabled": "`gpu`, `disabled`: call -> reason, for every reading that this GPU does not serve",
    "gpu_fault": "the GPU's handle was dropped: `gpu`, `call`, `code`; its values end here",
    "nvml_errors": "failed calls since the row before: `gpu` (or null), `errors` (call, code, n)",
    "xid": "an XID error: `gpu`, `xid`; the time is that of its arrival here",
    "host": "`v`: CPU seconds; as of the last whole second memory and the exporter's own cost",
    "process_groups": "`groups`: for each group `cpu_seconds_total`, `resident_memory_bytes`, `processes`",
    "dropped": "`n` rows were thrown away because the parent did not read",
}
"""Kind -> what it holds besides kind and times."""


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encoded(row: Row) -> bytes:
    """A row as it stands on its line, without the newline."""
    return _encode(row).encode()


def numbered(line: bytes, seq: int) -> bytes:
    """An encoded row with its sequence number in front."""
    return b'{"seq":%d,%s' % (seq, line[1:])


def rows_table() -> str:
    """The table of rows in Markdown."""
    lines = ["| kind | holds |", "|---|---|"]
    lines += [f"| `{kind}` | {text} |" for kind, text in KINDS.items()]
    return "\n".join(lines)
