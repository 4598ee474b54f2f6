"""On the master: one run from its header to its footer."""

from glm_locust.run.provenance import command_as_typed, machine, new_run_id, versions
from glm_locust.run.run import Run, Sink, WorkerAccount

__all__ = [
    "Run",
    "Sink",
    "WorkerAccount",
    "command_as_typed",
    "machine",
    "new_run_id",
    "versions",
]
