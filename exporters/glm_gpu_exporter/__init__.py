"""A sidecar for GPU hosts: NVML, host and process readings for Prometheus and for joins to single requests.

Two processes.  The child (``child``) alone loads NVML and samples every GPU in a thread of its own; it
writes rows of JSON.  The parent reads rows from the child, from the host sampler or from a capture,
keeps the newest state (``state``) and ten minutes of rows (``ring``), and serves both (``server``).
Whatever happens in a driver call happens to the child: the parent keeps answering.
"""

__version__ = "0.1.0"
