"""On the master: one run from its header to its footer."""

from glm_locust.run.provenance import (
    COMMAND_ENV,
    command_as_typed,
    command_line,
    machine,
    new_run_id,
    versions,
)
from glm_locust.run.pulses import Pulses, WorkerPulse
from glm_locust.run.run import Run, Sink, WorkerAccount

__all__ = [
    "COMMAND_ENV",
    "Pulses",
    "Run",
    "Sink",
    "WorkerAccount",
    "WorkerPulse",
    "command_as_typed",
    "command_line",
    "machine",
    "new_run_id",
    "versions",
]
